package live

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
)

// memStore is a log in memory with several partitions, for tests that want to
// decide when it answers, and whether.
type memStore struct {
	// trouble, if set, is asked before each call; it may wait, and its error
	// is the call's.
	trouble func(ctx context.Context, call string) error

	// gone, if set, is asked before each call for a partition alone.
	gone func(ctx context.Context, part int) error

	mu       sync.Mutex
	parts    []memPart
	keys     map[chat.KeyDigest]chat.ID
	moved    chan struct{} // closed, and replaced, by each append
	presence map[string]memPresence
	asked    map[string]int // calls by name
}

type memPart struct {
	messages []chat.Message // floor's and before are not readable
	floor    chat.Pos
	epoch    uint64
}

type memPresence struct {
	here chat.Here
	at   time.Time
}

var _ storeOf = (*memStore)(nil)

// storeOf is what a pod needs of a store.
type storeOf interface {
	chat.Log
	chat.Presence
}

func newMemStore(partitions int) *memStore {
	s := &memStore{
		parts: make([]memPart, partitions), keys: map[chat.KeyDigest]chat.ID{}, moved: make(chan struct{}),
		presence: map[string]memPresence{}, asked: map[string]int{},
	}
	for i := range s.parts {
		s.parts[i].epoch = 1
	}
	return s
}

func (s *memStore) begin(ctx context.Context, call string) error {
	s.mu.Lock()
	s.asked[call]++
	s.mu.Unlock()
	if s.trouble == nil {
		return nil
	}
	return s.trouble(ctx, call)
}

func (s *memStore) in(ctx context.Context, part int) error {
	if s.gone == nil {
		return nil
	}
	return s.gone(ctx, part)
}

func (s *memStore) Partitions() int { return len(s.parts) }

func (s *memStore) Append(ctx context.Context, part int, events []chat.Event) ([]chat.Appended, error) {
	err := errors.Join(s.begin(ctx, "append"), s.in(ctx, part))
	if errors.Is(err, errLost) { // appended, but nobody hears of it
		s.append(part, events)
	}
	if err != nil {
		return nil, err
	}
	return s.append(part, events), nil
}

func (s *memStore) append(part int, events []chat.Event) []chat.Appended {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.parts[part]
	pos := chat.Pos{Ms: uint64(time.Now().UnixMilli())}
	if n := len(p.messages); n > 0 && p.messages[n-1].ID.Pos.Compare(pos) >= 0 {
		pos = p.messages[n-1].ID.Pos
		pos.Seq, pos.Idx = pos.Seq+1, 0
	}
	results := make([]chat.Appended, len(events))
	for i, e := range events {
		key := e.Draft.KeyDigest()
		if id, known := s.keys[key]; known {
			results[i] = chat.Appended{ID: id, Duplicate: true}
			continue
		}
		id := chat.ID{Pos: pos, Part: uint8(part)}
		pos = pos.Next()
		s.keys[key] = id
		p.messages = append(p.messages, chat.Message{ID: id, Draft: e.Draft})
		results[i] = chat.Appended{ID: id}
	}
	close(s.moved)
	s.moved = make(chan struct{})
	return results
}

// post appends one message straight to the log and gives it.
func (s *memStore) post(key, topic, content string) chat.Message {
	d := chat.Draft{Key: key, Topic: topic, Name: "Ann", Email: "ann@example.org", Content: content}
	got := s.append(chat.PartitionOf(topic, len(s.parts)), []chat.Event{chat.NewEvent(d)})
	return chat.Message{ID: got[0].ID, Draft: d}
}

func (s *memStore) Read(ctx context.Context, part int, after chat.Pos, max int, wait time.Duration) (chat.Batch, error) {
	none := chat.Batch{After: after, Through: after}
	if err := errors.Join(s.begin(ctx, "read"), s.in(ctx, part)); err != nil {
		return none, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		s.mu.Lock()
		p := s.parts[part]
		moved := s.moved
		s.mu.Unlock()
		first := upTo(p.messages, max0(after, p.floor))
		if found := eventsOf(p.messages[first:min(first+max, len(p.messages))]); len(found) > 0 {
			return chat.Batch{After: after, Events: found, Through: found[len(found)-1].ID.Pos, Gap: after.Compare(p.floor) < 0}, nil
		} else if wait == 0 {
			return none, nil
		}
		select {
		case <-moved:
		case <-timer.C:
			return none, nil
		case <-ctx.Done():
			return none, context.Cause(ctx)
		}
	}
}

func eventsOf(messages []chat.Message) []chat.Event {
	events := make([]chat.Event, len(messages))
	for i, m := range messages {
		events[i] = chat.Event{ID: m.ID, Kind: chat.KindMessage, Draft: m.Draft}
	}
	return events
}

func max0(a, b chat.Pos) chat.Pos {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}

// upTo is how many messages are at or before pos.
func upTo(messages []chat.Message, pos chat.Pos) int {
	n, _ := slices.BinarySearchFunc(messages, pos.Next(), func(m chat.Message, p chat.Pos) int { return m.ID.Pos.Compare(p) })
	return n
}

func (s *memStore) Before(ctx context.Context, part int, topic string, before chat.Pos, max int) ([]chat.Event, error) {
	if err := errors.Join(s.begin(ctx, "before"), s.in(ctx, part)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[part]
	var found []chat.Message
	for _, m := range slices.Backward(p.messages) {
		if len(found) == max || m.ID.Pos.Compare(p.floor) <= 0 {
			break
		}
		if m.ID.Pos.Compare(before) < 0 && (topic == "" || topic == m.Topic) {
			found = append(found, m)
		}
	}
	slices.Reverse(found)
	return eventsOf(found), nil
}

func (s *memStore) State(ctx context.Context, part int) (chat.State, error) {
	if err := errors.Join(s.begin(ctx, "state"), s.in(ctx, part)); err != nil {
		return chat.State{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[part]
	state := chat.State{Epoch: p.epoch, Floor: p.floor}
	if n := len(p.messages); n > 0 {
		state.Head = p.messages[n-1].ID.Pos
	}
	return state, nil
}

func (s *memStore) Topics(context.Context, int) ([]chat.TopicInfo, error) { return nil, nil }

func (s *memStore) Last(ctx context.Context, part int, topics []string) ([]chat.Pos, error) {
	if err := s.begin(ctx, "last"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := make([]chat.Pos, len(topics))
	p := s.parts[part]
	for _, m := range p.messages {
		if i := slices.Index(topics, m.Topic); i >= 0 && m.ID.Pos.Compare(p.floor) > 0 {
			last[i] = m.ID.Pos
		}
	}
	return last, nil
}

func (s *memStore) Tell(ctx context.Context, server string, here chat.Here) (chat.Crowd, error) {
	if err := s.begin(ctx, "presence"); err != nil {
		return chat.Crowd{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.presence[server] = memPresence{here, time.Now()}
	var crowd chat.Crowd
	for name, p := range s.presence {
		if p.here == (chat.Here{}) || time.Since(p.at) > chat.PresenceMemory {
			delete(s.presence, name)
			continue
		}
		crowd.People += p.here.People
		crowd.Guests += p.here.Guests
		if p.here.Open {
			crowd.Servers++
		}
	}
	return crowd, nil
}

func (s *memStore) Close() error { return nil }

// cut removes, as retention would, all but the last keep messages of a partition.
func (s *memStore) cut(part, keep int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.parts[part]
	if drop := len(p.messages) - keep; drop > 0 {
		p.floor = p.messages[drop-1].ID.Pos
	}
}

// fork loses all that a partition held: another log, whose next message does
// not follow on what was read.
func (s *memStore) fork(part int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.parts[part]
	*p = memPart{epoch: p.epoch + 1, floor: p.messages[len(p.messages)-1].ID.Pos.Next()}
}

// empty makes it another log.
func (s *memStore) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.parts {
		s.parts[i] = memPart{epoch: s.parts[i].epoch + 1}
	}
	clear(s.keys)
}

// count is how often a call was made.
func (s *memStore) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[call]
}

// all gives every message of a partition that was ever appended.
func (s *memStore) all(part int) []chat.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.parts[part].messages)
}

var (
	errTrouble = errors.New("the log is in trouble")
	// errLost is the trouble of an append that was carried out all the same.
	errLost = errors.New("the log's answer was lost")
)
