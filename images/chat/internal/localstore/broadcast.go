package localstore

import (
	"context"
	"time"

	"chatapp/chat/internal/chat"
)

var _ chat.Broadcast = (*Store)(nil)

// Send implements chat.Broadcast.
func (s *Store) Send(_ context.Context, part int, drafts []chat.Draft) ([]time.Time, error) {
	return s.ears.tell(part, drafts, s.now), nil
}

// Listen implements chat.Broadcast.
func (s *Store) Listen(ctx context.Context, take func(part int, list []chat.Ephemeral)) {
	defer s.ears.add(take)()
	select {
	case <-ctx.Done():
	case <-s.closing.Done():
	}
}
