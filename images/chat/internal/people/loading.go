package people

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	// laterTime is the pause between two looks at a room whose count or name
	// has changed: nobody's rights depend on them.
	laterTime = time.Second
	// useTime is how often the directory is told that the tokens of open
	// connections are in use; it counts in whole hours.
	useTime = 20 * time.Minute
	// reloads is how many accounts are read at the same time.
	reloads = 8
)

// load reads a person's rooms and account. Loads of one person are in order;
// each sees what was answered before it began.
func (p *person) load(ctx context.Context) error {
	p.loading.Lock()
	defer p.loading.Unlock()
	rooms, err := p.v.dir.Rooms(ctx, p.id)
	if err != nil {
		return err
	}
	a, err := p.v.dir.Account(ctx, p.id)
	if errors.Is(err, ErrNone) {
		p.v.Heard(Change{Kind: Deleted, Account: p.id})
		return nil
	}
	if err != nil {
		return err
	}
	if p.verify.Load() {
		if err := p.verifyTokens(ctx); err != nil {
			return err
		}
	}
	p.loaded = true
	p.v.mu.Lock()
	defer p.v.mu.Unlock()
	p.account = a
	was, now := *p.rooms.Load(), make(map[string]Room, len(rooms))
	changed := false
	for _, r := range rooms {
		if r.Joined <= p.left[r.ID] {
			continue // read before it left
		}
		now[r.ID] = r
		old, in := was[r.ID]
		// Version and Joined are not compared: clients are not told of them.
		changed = changed || !in || old.Name != r.Name || old.Creator != r.Creator || old.Count != r.Count
	}
	if changed = changed || len(now) != len(was); changed || len(now) > 0 {
		p.rooms.Store(&now)
	}
	if changed {
		for s := range p.seats {
			s.watcher.RoomsChanged()
		}
	}
	return nil
}

// verifyTokens ends the seats whose token has ended without this view having
// heard of it.
func (p *person) verifyTokens(ctx context.Context) error {
	p.v.mu.Lock()
	var tokens []Digest
	for s := range p.seats {
		tokens = append(tokens, s.token)
	}
	p.v.mu.Unlock()
	for _, token := range tokens {
		switch _, err := p.v.dir.Session(ctx, token); {
		case errors.Is(err, ErrNone):
			p.v.Heard(Change{Kind: SignedOut, Account: p.id, Token: token})
		case err != nil:
			return err
		}
	}
	p.verify.Store(false)
	return nil
}

// reload loads the accounts that a change was about, until the view is closed.
func (v *View) reload() {
	tick, use := time.NewTicker(laterTime), time.NewTicker(useTime)
	defer tick.Stop()
	defer use.Stop()
	for {
		var due []*person
		select {
		case <-v.ctx.Done():
			return
		case <-v.wake:
			v.mu.Lock()
			due = take(v.urgent)
			v.mu.Unlock()
		case <-use.C:
			v.mu.Lock()
			for _, p := range v.people {
				p.verify.Store(true) // to verify a token is to use it
				v.later[p] = struct{}{}
			}
			v.mu.Unlock()
		case <-tick.C:
			v.mu.Lock()
			due = append(take(v.urgent), take(v.later)...)
			v.mu.Unlock()
		}
		v.loadAll(v.ctx, due)
	}
}

func take(set map[*person]struct{}) []*person {
	var list []*person
	for p := range set {
		list = append(list, p)
		delete(set, p)
	}
	return list
}

// loadAll loads some people at a time. Who can't be loaded is tried again.
func (v *View) loadAll(ctx context.Context, due []*person) {
	for some := range slices.Chunk(due, reloads) {
		var wg sync.WaitGroup
		for _, p := range some {
			wg.Go(func() {
				if err := p.load(ctx); err == nil || ctx.Err() != nil {
					return // the follower says so when the directory is away
				}
				v.mu.Lock()
				v.urgent[p] = struct{}{} // at the next tick
				v.mu.Unlock()
			})
		}
		wg.Wait()
	}
}

// Refresh loads those of the accounts that have an open connection here, so
// that a change holds here when it is answered. What fails is tried again.
func (v *View) Refresh(ctx context.Context, accounts ...string) {
	var due []*person
	v.mu.Lock()
	for _, id := range accounts {
		if p := v.people[id]; p != nil {
			due = append(due, p)
		}
	}
	v.mu.Unlock()
	v.loadAll(ctx, due)
}
