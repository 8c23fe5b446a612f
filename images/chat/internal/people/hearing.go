package people

import (
	"errors"
	"time"
)

const (
	// pollTime is how long one wait for changes lasts; some fit in Patience.
	pollTime = 500 * time.Millisecond
	// retryTime is the pause after a failure.
	retryTime = 200 * time.Millisecond
)

// follow hears of changes until the view is closed.
func (v *View) follow() {
	after, away := "", false
	for v.ctx.Err() == nil {
		list, next, err := v.dir.Changes(v.ctx, after, pollTime)
		if err != nil {
			if errors.Is(err, ErrLost) {
				after = ""
				continue
			}
			if !away && v.ctx.Err() == nil {
				v.logger.Warn("the directory of people can't be reached; nothing of rooms is given", "error", err)
			}
			away = true
			v.pause(retryTime)
			continue
		}
		for _, c := range list {
			v.Heard(c)
		}
		if after == "" {
			v.forget()
		}
		after, away = next, false
		v.heard.Store(time.Now().UnixNano())
		v.sure()
	}
}

func (v *View) pause(d time.Duration) {
	select {
	case <-v.ctx.Done():
	case <-time.After(d):
	}
}

// forget drops what may be out of date after changes were lost.
func (v *View) forget() {
	v.holders.forgetAll()
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range v.pending {
		s.heard = append(s.heard, "*")
	}
	for _, p := range v.people {
		p.verify.Store(true)
		p.mark(v.urgent)
	}
}

// sure tells the connections from which something was held back while the view
// was stale.
func (v *View) sure() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.people {
		if p.unsure.Swap(false) {
			for s := range p.seats {
				s.watcher.Unsure()
			}
		}
	}
}

// Heard takes in a change, whether the directory told it, this process made it,
// or the log says when somebody left a room. Hearing it again does no harm.
func (v *View) Heard(c Change) {
	if c.Kind == Registered || c.Kind == Deleted {
		v.holders.forget(c.Address)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range v.pending {
		s.heard = append(s.heard, c.Account)
		if c.Kind == SignedOut && c.Token == s.token {
			s.closed = true
		}
	}
	p := v.people[c.Account]
	switch c.Kind {
	case Renamed, Joined:
		if p != nil {
			p.mark(v.urgent)
		}
	case SignedOut:
		v.end(p, func(token Digest) bool { return token == c.Token })
	case NewPassword:
		v.end(p, func(token Digest) bool { return token != c.Token })
	case Deleted:
		v.end(p, func(Digest) bool { return true })
	case Left:
		if p != nil {
			p.leave(c.Room, c.Version)
		}
	case RoomDeleted:
		for _, p := range v.people {
			if _, in := (*p.rooms.Load())[c.Room]; in {
				p.leave(c.Room, ^uint64(0)) // no later room has this id
			}
		}
		return
	}
	if c.Room != "" {
		for _, p := range v.people {
			if r, in := (*p.rooms.Load())[c.Room]; in && (r.Version < c.Version || c.Version == 0) {
				p.mark(v.later)
			}
		}
	}
}

// end closes the seats of those tokens; View.mu is held.
func (v *View) end(p *person, over func(Digest) bool) {
	if p == nil {
		return
	}
	for s := range p.seats {
		if over(s.token) {
			s.drop()
			s.watcher.SignedOut()
		}
	}
}

// leave takes a room away; View.mu is held.
func (p *person) leave(room string, version uint64) {
	p.left[room] = max(p.left[room], version)
	rooms := *p.rooms.Load()
	if r, in := rooms[room]; in && r.Joined < version {
		less := make(map[string]Room, len(rooms))
		for id, r := range rooms {
			if id != room {
				less[id] = r
			}
		}
		p.rooms.Store(&less)
		for s := range p.seats {
			s.watcher.RoomsChanged()
		}
	}
}

// mark says that a person is to be loaded anew; View.mu is held.
func (p *person) mark(set map[*person]struct{}) {
	set[p] = struct{}{}
	if _, now := p.v.urgent[p]; now {
		select {
		case p.v.wake <- struct{}{}:
		default: // reload is woken already
		}
	}
}
