package chat

import (
	"context"
	"slices"
	"sync"
	"time"
)

// fakeLog is a log in memory whose appends can be held up and failed.
type fakeLog struct {
	Log   // what is not here is not called
	parts int

	// gate, if set, is called with each batch before it is appended; its
	// error is the append's.
	gate func(ctx context.Context, part int, events []Event) error

	mu      sync.Mutex
	now     uint64 // milliseconds, of the next append
	events  [][]Event
	batches [][]Event
	keys    map[KeyDigest]ID
	floor   Pos            // of every partition; Before does not mind it
	err     error          // of the calls that read
	asked   map[string]int // calls by name, of those that are counted
	slow    time.Duration  // that Topics takes
}

// times is how often the calls of these names were made.
func (s *fakeLog) times(names ...string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		n += s.asked[name]
	}
	return n
}

func newFakeLog(parts int) *fakeLog {
	return &fakeLog{parts: parts, events: make([][]Event, parts), keys: map[KeyDigest]ID{}, asked: map[string]int{}}
}

func (s *fakeLog) Partitions() int { return s.parts }

func (s *fakeLog) Append(ctx context.Context, part int, events []Event) ([]Appended, error) {
	if s.gate != nil {
		if err := s.gate(ctx, part, events); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now++
	s.batches = append(s.batches, slices.Clone(events))
	results := make([]Appended, len(events))
	for i, e := range events {
		key := e.Draft.KeyDigest()
		id, known := s.keys[key]
		if !known {
			id = ID{Pos: Pos{Ms: s.now, Idx: uint8(i)}, Part: uint8(part)}
			s.keys[key] = id
			e.ID = id
			s.events[part] = append(s.events[part], e)
		}
		results[i] = Appended{ID: id, Duplicate: known}
	}
	return results, nil
}

func (s *fakeLog) Before(_ context.Context, part int, topic string, before Pos, max int) ([]Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked["before"]++
	if s.err != nil {
		return nil, s.err
	}
	var found []Event
	for _, e := range s.events[part] {
		if e.ID.Pos.Compare(before) < 0 && (topic == "" || topic == e.Draft.Topic) {
			found = append(found, e)
		}
	}
	return found[len(found)-min(len(found), max):], nil
}

func (s *fakeLog) Read(_ context.Context, part int, after Pos, max int, _ time.Duration) (Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked["read"]++
	if s.err != nil {
		return Batch{}, s.err
	}
	b := Batch{After: after, Through: after}
	for _, e := range s.events[part] {
		if e.ID.Pos.Compare(after) > 0 && e.ID.Pos.Compare(s.floor) > 0 && len(b.Events) < max {
			b.Events, b.Through = append(b.Events, e), e.ID.Pos
		}
	}
	return b, nil
}

func (s *fakeLog) State(_ context.Context, part int) (State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := State{Epoch: 1, Floor: s.floor}
	if n := len(s.events[part]); n > 0 {
		state.Head = s.events[part][n-1].ID.Pos
	}
	return state, s.err
}

func (s *fakeLog) Topics(ctx context.Context, part int) ([]TopicInfo, error) {
	s.mu.Lock()
	s.asked["topics"]++
	s.mu.Unlock()
	select {
	case <-time.After(s.slow):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	var infos []TopicInfo
	for _, e := range s.events[part] {
		i := slices.IndexFunc(infos, func(t TopicInfo) bool { return t.Topic == e.Draft.Topic })
		if i < 0 {
			infos, i = append(infos, TopicInfo{Topic: e.Draft.Topic}), len(infos)
		}
		infos[i].Messages++
		infos[i].Last = e.ID
	}
	return infos, nil
}

func (s *fakeLog) Last(_ context.Context, part int, topics []string) ([]Pos, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked["last"]++
	last := make([]Pos, len(topics))
	for _, e := range s.events[part] {
		if i := slices.Index(topics, e.Draft.Topic); i >= 0 && e.ID.Pos.Compare(s.floor) > 0 {
			last[i] = e.ID.Pos
		}
	}
	return last, s.err
}

const testTimeout = 5 * time.Second
