package localstore

import (
	"context"

	"chatapp/chat/internal/chat"
)

// Tell implements chat.Presence. Only this process can be connected to, but
// it may speak for several names.
func (s *Store) Tell(_ context.Context, server string, here chat.Here) (chat.Crowd, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.presence.tell(server, here, s.now()), nil
}
