package people

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
)

// Principal gives the principal of a single call with a token, and its account.
// Its rooms are as they are now. Check reads them again.
func (v *View) Principal(ctx context.Context, token string) (chat.Principal, Account, error) {
	a, err := v.dir.Session(ctx, digestOf(token))
	if errors.Is(err, ErrNone) {
		return chat.Guest, a, errToken()
	}
	if err != nil {
		return chat.Guest, a, failed(err)
	}
	rooms := &caller{dir: v.dir, id: a.ID}
	if err := rooms.Check(ctx); err != nil {
		return chat.Guest, a, err
	}
	return chat.Principal{Account: a.ID, Email: a.Email, Name: a.Name, Rooms: rooms}, a, nil
}

// caller is the rooms of whoever makes a single call.
type caller struct {
	dir Directory
	id  string

	mu    sync.Mutex
	rooms []Room
}

func (c *caller) Has(room string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.rooms, func(r Room) bool { return r.ID == room })
}

func (c *caller) List() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, r := range c.rooms {
		list = append(list, r.ID)
	}
	return list
}

func (c *caller) Name(room string) string {
	r, _ := c.find(room)
	return r.Name
}

func (c *caller) Created(room string) time.Time {
	r, _ := c.find(room)
	return r.Created
}

// Stale implements chat.Rooms: they were read for this call.
func (c *caller) Stale() bool { return false }

func (c *caller) Check(ctx context.Context) error {
	rooms, err := c.dir.Rooms(ctx, c.id)
	if err != nil {
		return failed(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rooms = rooms
	return nil
}

func (c *caller) find(room string) (Room, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rooms {
		if r.ID == room {
			return r, true
		}
	}
	return Room{}, false
}

// Owner reports whether a principal of this package is the creator of a room.
func Owner(who chat.Principal, room string) bool {
	o, ok := who.Rooms.(interface{ find(string) (Room, bool) })
	if !ok {
		return false
	}
	r, in := o.find(room)
	return in && r.Creator == who.Account
}
