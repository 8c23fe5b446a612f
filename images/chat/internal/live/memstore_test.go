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

	mu       sync.Mutex
	parts    []memPart
	keys     map[string]chat.ID
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
	online int
	at     time.Time
}

var _ chat.Store = (*memStore)(nil)

func newMemStore(partitions int) *memStore {
	s := &memStore{
		parts: make([]memPart, partitions), keys: map[string]chat.ID{}, moved: make(chan struct{}),
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

func (s *memStore) Partitions() int { return len(s.parts) }

func (s *memStore) Append(ctx context.Context, part int, drafts []chat.Draft) ([]chat.Appended, error) {
	err := s.begin(ctx, "append")
	if errors.Is(err, errLost) { // appended, but nobody hears of it
		s.append(part, drafts)
	}
	if err != nil {
		return nil, err
	}
	return s.append(part, drafts), nil
}

func (s *memStore) append(part int, drafts []chat.Draft) []chat.Appended {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.parts[part]
	pos := chat.Pos{Ms: uint64(time.Now().UnixMilli())}
	if n := len(p.messages); n > 0 && p.messages[n-1].ID.Pos.Compare(pos) >= 0 {
		pos = p.messages[n-1].ID.Pos
		pos.Seq, pos.Idx = pos.Seq+1, 0
	}
	results := make([]chat.Appended, len(drafts))
	for i, d := range drafts {
		if id, known := s.keys[d.Key]; known {
			results[i] = chat.Appended{ID: id, Duplicate: true}
			continue
		}
		id := chat.ID{Pos: pos, Part: uint8(part)}
		pos = pos.Next()
		s.keys[d.Key] = id
		p.messages = append(p.messages, chat.Message{ID: id, Draft: d})
		results[i] = chat.Appended{ID: id}
	}
	close(s.moved)
	s.moved = make(chan struct{})
	return results
}

// post appends one message straight to the log and gives it.
func (s *memStore) post(key, topic, content string) chat.Message {
	d := chat.Draft{Key: key, Topic: topic, Name: "Ann", Email: "ann@example.org", Content: content}
	got := s.append(chat.PartitionOf(topic, len(s.parts)), []chat.Draft{d})
	return chat.Message{ID: got[0].ID, Draft: d}
}

func (s *memStore) Read(ctx context.Context, part int, after chat.Pos, max int, wait time.Duration) ([]chat.Message, error) {
	if err := s.begin(ctx, "read"); err != nil {
		return nil, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		s.mu.Lock()
		p := s.parts[part]
		moved := s.moved
		s.mu.Unlock()
		first := upTo(p.messages, max0(after, p.floor))
		if found := p.messages[first:min(first+max, len(p.messages))]; len(found) > 0 || wait == 0 {
			return slices.Clone(found), nil
		}
		select {
		case <-moved:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
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

func (s *memStore) Before(ctx context.Context, part int, topic string, before chat.Pos, max int) ([]chat.Message, error) {
	if err := s.begin(ctx, "before"); err != nil {
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
	return found, nil
}

func (s *memStore) State(ctx context.Context, part int) (chat.State, error) {
	if err := s.begin(ctx, "state"); err != nil {
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

func (s *memStore) Presence(ctx context.Context, server string, online int) (int, error) {
	if err := s.begin(ctx, "presence"); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.presence[server] = memPresence{online, time.Now()}
	total := 0
	for name, p := range s.presence {
		if p.online == 0 || time.Since(p.at) > chat.PresenceMemory {
			delete(s.presence, name)
			continue
		}
		total += p.online
	}
	return total, nil
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

// empty makes it another log.
func (s *memStore) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.parts {
		s.parts[i] = memPart{epoch: s.parts[i].epoch + 1}
	}
	clear(s.keys)
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
