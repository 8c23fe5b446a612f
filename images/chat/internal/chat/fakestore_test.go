package chat

import (
	"context"
	"slices"
	"sync"
	"time"
)

// fakeStore is a log in memory whose appends can be held up and failed.
type fakeStore struct {
	Store // what is not here is not called
	parts int

	// gate, if set, is called with each batch before it is appended; its
	// error is the append's.
	gate func(ctx context.Context, part int, drafts []Draft) error

	mu       sync.Mutex
	now      uint64 // milliseconds, of the next append
	messages [][]Message
	batches  [][]Draft
	keys     map[string]ID
	err      error // of the calls that read
}

func newFakeStore(parts int) *fakeStore {
	return &fakeStore{parts: parts, messages: make([][]Message, parts), keys: map[string]ID{}}
}

func (s *fakeStore) Partitions() int { return s.parts }

func (s *fakeStore) Append(ctx context.Context, part int, drafts []Draft) ([]Appended, error) {
	if s.gate != nil {
		if err := s.gate(ctx, part, drafts); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now++
	s.batches = append(s.batches, slices.Clone(drafts))
	results := make([]Appended, len(drafts))
	for i, d := range drafts {
		id, known := s.keys[d.Key]
		if !known {
			id = ID{Pos: Pos{Ms: s.now, Idx: uint8(i)}, Part: uint8(part)}
			s.keys[d.Key] = id
			s.messages[part] = append(s.messages[part], Message{ID: id, Draft: d})
		}
		results[i] = Appended{ID: id, Duplicate: known}
	}
	return results, nil
}

func (s *fakeStore) Before(_ context.Context, part int, topic string, before Pos, max int) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	var found []Message
	for _, m := range s.messages[part] {
		if m.ID.Pos.Compare(before) < 0 && (topic == "" || topic == m.Topic) {
			found = append(found, m)
		}
	}
	return found[len(found)-min(len(found), max):], nil
}

func (s *fakeStore) Topics(_ context.Context, part int) ([]TopicInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	var infos []TopicInfo
	for _, m := range s.messages[part] {
		i := slices.IndexFunc(infos, func(t TopicInfo) bool { return t.Topic == m.Topic })
		if i < 0 {
			infos, i = append(infos, TopicInfo{Topic: m.Topic}), len(infos)
		}
		infos[i].Messages++
		infos[i].Last = m.ID
	}
	return infos, nil
}

const testTimeout = 5 * time.Second
