package localstore

import (
	"time"

	"chatapp/chat/internal/chat"
)

// crowd is what each server said of itself last, by name.
type crowd map[string]told

// told is what a server said of itself last.
type told struct {
	here     chat.Here
	at       time.Time
	moment   uint64 // chat.Delta.To
	accounts map[string]struct{}
}

// tell takes in what a server says now, and gives the sum over all servers.
func (c crowd) tell(server string, here chat.Here, now time.Time) chat.Crowd {
	t := c[server]
	var sum chat.Crowd
	if d := here.Accounts; d != nil {
		sum.Stale = !t.take(d)
	}
	t.here, t.at = here, now
	c[server] = t
	users := map[string]struct{}{}
	for name, t := range c {
		if t.here == (chat.Here{}) || now.Sub(t.at) > chat.PresenceMemory {
			delete(c, name)
			continue
		}
		sum.People += t.here.People
		sum.Guests += t.here.Guests
		for account := range t.accounts {
			users[account] = struct{}{}
		}
		if t.here.Open {
			sum.Servers++
		}
	}
	sum.Users = len(users)
	return sum
}

// take applies a change. It reports false if the change is not one of what t
// has.
func (t *told) take(d *chat.Delta) bool {
	switch {
	case d.From == 0:
		t.accounts = map[string]struct{}{}
	case d.From != t.moment:
		return false
	}
	for _, account := range d.Came {
		t.accounts[account] = struct{}{}
	}
	for _, account := range d.Went {
		delete(t.accounts, account)
	}
	t.moment = d.To
	return true
}
