// Package crowd is about who is connected: it counts people over all servers,
// tells everybody the number, evens out the servers' numbers, and sends
// everybody away when this server leaves. It knows nothing of sockets.
package crowd

import (
	"sync"
	"time"

	"chatapp/chat/internal/wire"
)

// Member is one connection as the crowd sees it. Its methods never wait for
// the client, and may be called from any goroutine.
type Member interface {
	// TellPresence sends a presence frame, in place of one not yet written.
	TellPresence(*wire.Frame)
	// Bye asks the client to connect elsewhere.
	Bye(*wire.Frame)
	// Close ends the connection after what waits has been written.
	Close(wire.CloseCode)
	// Ended reports whether the connection is closed or closing.
	Ended() bool
}

// Members are the connections of this server. It is safe for use by many
// goroutines.
type Members struct {
	changed chan struct{} // capacity 1: the number of people here, or open, is another

	mu      sync.Mutex
	places  map[*Place]struct{}
	people  int  // those who said hello
	leaving bool // this server takes no more people
}

// Place is what the crowd knows of one member.
type Place struct {
	member Member

	// Members.mu guards these.
	greeted  bool      // counts among the people
	informed bool      // gets presence frames
	moving   bool      // was asked to connect elsewhere
	told     int       // the number in its last presence frame
	toldAt   time.Time // when that was sent
}

// presenceGap is the least time between two presence frames to a client.
const presenceGap = time.Second

// NewMembers makes an empty crowd.
func NewMembers() *Members {
	return &Members{changed: make(chan struct{}, 1), places: map[*Place]struct{}{}}
}

// Enter takes in a connection. It does not count as a person yet.
func (m *Members) Enter(member Member) *Place {
	p := &Place{member: member}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.places[p] = struct{}{}
	return p
}

// Greet counts a member, once, among the people.
func (m *Members) Greet(p *Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.greeted = true
	m.people++
	m.change()
}

// Leave forgets a member.
func (m *Members) Leave(p *Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.places, p)
	if p.greeted {
		m.people--
		m.change()
	}
}

// People is how many people are connected to this server.
func (m *Members) People() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.people
}

// Withdraw says that this server takes no more people: the others count on it
// no more, and nobody is moved from here to even out numbers.
func (m *Members) Withdraw() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaving = true
	m.change()
}

// Leaving reports whether Withdraw was called.
func (m *Members) Leaving() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leaving
}

// change never waits.
func (m *Members) change() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// inform makes a member one that gets presence frames, and notes that it is
// told a number now.
func (m *Members) inform(p *Place, online int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.informed, p.told, p.toldAt = true, online, time.Now()
}

// untold gives the members that get presence frames and were last told another
// number, and notes that they are told now. Those told less than presenceGap
// ago are left for later.
func (m *Members) untold(online int) (due []Member, later bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for p := range m.places {
		switch {
		case !p.informed || p.told == online:
		case now.Sub(p.toldAt) < presenceGap:
			later = true
		default:
			p.told, p.toldAt = online, now
			due = append(due, p.member)
		}
	}
	return due, later
}

// move gives most members that were not asked to move before, and notes that
// they are asked now.
func (m *Members) move(most int) []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leaving {
		return nil
	}
	var chosen []Member
	for p := range m.places { // in no order: every client's turn is as likely
		if len(chosen) == most {
			break
		}
		if p.informed && !p.moving {
			p.moving = true
			chosen = append(chosen, p.member)
		}
	}
	return chosen
}

// all gives the members of this moment.
func (m *Members) all() []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Member, 0, len(m.places))
	for p := range m.places {
		list = append(list, p.member)
	}
	return list
}
