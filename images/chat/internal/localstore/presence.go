package localstore

import (
	"context"
	"time"

	"chatapp/chat/internal/chat"
)

// told is what a server said, and when.
type told struct {
	here chat.Here
	at   time.Time
}

// Tell implements chat.Presence. Only this process can be connected to, but it
// may speak for several names.
func (s *Store) Tell(_ context.Context, server string, here chat.Here) (chat.Crowd, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.presence[server] = told{here, now}
	var crowd chat.Crowd
	for name, p := range s.presence {
		if p.here == (chat.Here{}) || now.Sub(p.at) > chat.PresenceMemory {
			delete(s.presence, name)
			continue
		}
		crowd.People += p.here.People
		if p.here.Open {
			crowd.Servers++
		}
	}
	return crowd, nil
}
