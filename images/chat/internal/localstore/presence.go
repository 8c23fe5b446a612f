package localstore

import (
	"context"
	"time"

	"chatapp/chat/internal/chat"
)

// told is what a server said of itself last.
type told struct {
	here     chat.Here
	at       time.Time
	moment   uint64 // chat.Delta.To
	accounts map[string]struct{}
}

// Tell implements chat.Presence. Only this process can be connected to, but
// it may speak for several names.
func (s *Store) Tell(_ context.Context, server string, here chat.Here) (chat.Crowd, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	p := s.presence[server]
	var crowd chat.Crowd
	if d := here.Accounts; d != nil {
		crowd.Stale = !p.take(d)
	}
	p.here, p.at = here, now
	s.presence[server] = p
	users := map[string]struct{}{}
	for name, p := range s.presence {
		if p.here == (chat.Here{}) || now.Sub(p.at) > chat.PresenceMemory {
			delete(s.presence, name)
			continue
		}
		crowd.People += p.here.People
		crowd.Guests += p.here.Guests
		for account := range p.accounts {
			users[account] = struct{}{}
		}
		if p.here.Open {
			crowd.Servers++
		}
	}
	crowd.Users = len(users)
	return crowd, nil
}

// take takes in a change; false: it is not one of what p has.
func (p *told) take(d *chat.Delta) bool {
	switch {
	case d.From == 0:
		p.accounts = map[string]struct{}{}
	case d.From != p.moment:
		return false
	}
	for _, account := range d.Came {
		p.accounts[account] = struct{}{}
	}
	for _, account := range d.Went {
		delete(p.accounts, account)
	}
	p.moment = d.To
	return true
}
