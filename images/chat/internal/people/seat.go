package people

import (
	"context"
	"errors"
	"slices"
	"time"

	"chatapp/chat/internal/chat"
)

// Open gives a connection its seat, by a token. CodeUnauthorised: the token is
// not known, or not any more. The watcher may be called before Open returns.
func (v *View) Open(ctx context.Context, token string, w Watcher) (*Seat, error) {
	s := &Seat{v: v, token: digestOf(token), watcher: w}
	v.mu.Lock()
	v.pending[s] = struct{}{}
	v.mu.Unlock()
	p, err := s.find(ctx)
	if err == nil {
		p.loading.Lock()
		loaded := p.loaded
		p.loading.Unlock()
		if !loaded || v.Stale() {
			err = failed(p.load(ctx))
		}
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// find asks whose the token is. If a change of that account is heard meanwhile,
// it asks again: the seat must not outlive its token.
func (s *Seat) find(ctx context.Context) (*person, error) {
	v := s.v
	for {
		a, err := v.dir.Session(ctx, s.token)
		if errors.Is(err, ErrNone) {
			return nil, errToken()
		}
		if err != nil {
			return nil, failed(err)
		}
		v.mu.Lock()
		if s.closed {
			v.mu.Unlock()
			return nil, errToken()
		}
		if slices.Contains(s.heard, a.ID) || slices.Contains(s.heard, "*") {
			s.heard = nil
			v.mu.Unlock()
			continue
		}
		delete(v.pending, s)
		p := v.people[a.ID]
		if p == nil {
			p = &person{v: v, id: a.ID, account: a, seats: map[*Seat]struct{}{}, left: map[string]uint64{}}
			p.rooms.Store(&map[string]Room{})
			v.people[a.ID] = p
		}
		s.person = p
		p.seats[s] = struct{}{}
		v.mu.Unlock()
		return p, nil
	}
}

// Close gives the seat up: the watcher is not called any more. Close may be
// called again.
func (s *Seat) Close() {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	s.drop()
}

// drop is Close; View.mu is held.
func (s *Seat) drop() {
	s.closed = true
	delete(s.v.pending, s)
	p := s.person
	if p == nil {
		return
	}
	delete(p.seats, s)
	if len(p.seats) == 0 && s.v.people[p.id] == p {
		delete(s.v.people, p.id)
		delete(s.v.urgent, p)
		delete(s.v.later, p)
	}
}

// Principal is who sits here, as far as is known now.
func (s *Seat) Principal() chat.Principal {
	s.v.mu.Lock()
	a := s.person.account
	s.v.mu.Unlock()
	return chat.Principal{Account: a.ID, Email: a.Email, Name: a.Name, Rooms: s.person}
}

// Rooms lists the rooms of whoever sits here, the oldest first.
func (s *Seat) Rooms() []Room {
	var list []Room
	if s.v.Stale() {
		s.person.unsure.Store(true) // so that sure has it told of its rooms
		return nil
	}
	for _, r := range *s.person.rooms.Load() {
		list = append(list, r)
	}
	sortRooms(list)
	return list
}

// Has implements chat.Rooms. While the view is stale, it reports false.
func (p *person) Has(room string) bool {
	_, in := p.find(room)
	return in
}

// List implements chat.Rooms. Each has still to be asked for with Has.
func (p *person) List() []string {
	var list []string
	for id := range *p.rooms.Load() {
		list = append(list, id)
	}
	return list
}

// Name implements chat.Rooms.
func (p *person) Name(room string) string {
	r, _ := p.find(room)
	return r.Name
}

// Created implements chat.Rooms.
func (p *person) Created(room string) time.Time {
	r, _ := p.find(room)
	return r.Created
}

// Stale implements chat.Rooms.
func (p *person) Stale() bool { return p.v.Stale() }

// Check implements chat.Rooms.
func (p *person) Check(ctx context.Context) error { return failed(p.load(ctx)) }

func (p *person) find(room string) (Room, bool) {
	r, in := (*p.rooms.Load())[room]
	if in && p.v.Stale() {
		p.unsure.Store(true)
		return Room{}, false
	}
	return r, in
}
