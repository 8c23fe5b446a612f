package localstore

import (
	"context"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
)

// ears are those who listen for ephemeral messages: all in this process, so
// the road is a call.
type ears struct {
	mu   sync.Mutex // held while they are told, so that the order is kept
	next int
	by   map[int]func(int, []chat.Ephemeral)
}

var _ chat.Broadcast = (*Store)(nil)

// Send implements chat.Broadcast.
func (s *Store) Send(_ context.Context, part int, drafts []chat.Draft) ([]time.Time, error) {
	s.ears.mu.Lock()
	defer s.ears.mu.Unlock()
	now := time.UnixMilli(s.now().UnixMilli()).UTC()
	times := make([]time.Time, len(drafts))
	list := make([]chat.Ephemeral, len(drafts))
	for i, d := range drafts {
		times[i], list[i] = now, chat.Ephemeral{Draft: d, At: now}
	}
	for _, take := range s.ears.by {
		take(part, list)
	}
	return times, nil
}

// Listen implements chat.Broadcast.
func (s *Store) Listen(ctx context.Context, take func(part int, list []chat.Ephemeral)) {
	s.ears.mu.Lock()
	me := s.ears.next
	s.ears.next++
	if s.ears.by == nil {
		s.ears.by = map[int]func(int, []chat.Ephemeral){}
	}
	s.ears.by[me] = take
	s.ears.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-s.closing.Done():
	}
	s.ears.mu.Lock()
	defer s.ears.mu.Unlock()
	delete(s.ears.by, me)
}
