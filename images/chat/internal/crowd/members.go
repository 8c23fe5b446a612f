// Package crowd is about who is connected: it counts people over all servers,
// tells everybody the number, moves people to servers that have fewer, and
// sends all clients away when this server leaves. It knows nothing of sockets.
package crowd

import (
	"maps"
	"slices"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
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
	people  int                 // those who said hello
	users   map[string]int      // of them, those signed in: connections of each account
	guests  int                 // of them, the others
	news    map[string]struct{} // accounts that came or went since they were told of
	moment  uint64              // of the last telling
	told    uint64              // the moment that the others have; 0: they have to be told all
	leaving bool                // this server takes no more people
}

// Place is what the crowd knows of one member.
type Place struct {
	member Member

	// Members.mu guards these.
	greeted  bool      // counts among the people
	account  string    // of whoever is signed in
	informed bool      // gets presence frames
	moving   bool      // was asked to connect elsewhere
	told     Online    // the numbers in its last presence frame
	toldAt   time.Time // when that was sent
}

// presenceGap is the least time between two presence frames to a client.
const presenceGap = time.Second

// NewMembers makes an empty crowd.
func NewMembers() *Members {
	return &Members{changed: make(chan struct{}, 1), places: map[*Place]struct{}{}, users: map[string]int{}, news: map[string]struct{}{}}
}

// Enter takes in a connection. It does not count as a person yet.
func (m *Members) Enter(member Member) *Place {
	p := &Place{member: member}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.places[p] = struct{}{}
	return p
}

// Greet counts a member, once, among the people: account is its account, "" for
// a guest.
func (m *Members) Greet(p *Place, account string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.greeted, p.account = true, account
	m.count(account, 1)
}

// count counts one person more or less.
func (m *Members) count(account string, n int) {
	m.people += n
	if account == "" {
		m.guests += n
	} else {
		m.users[account] += n
		if m.users[account] == 0 {
			delete(m.users, account)
		}
		m.news[account] = struct{}{}
	}
	m.change()
}

// report gives what to tell the other servers. reported notes how that went.
func (m *Members) report() chat.Here {
	m.mu.Lock()
	defer m.mu.Unlock()
	here := chat.Here{People: m.people, Guests: m.guests, Open: !m.leaving}
	if m.told != 0 && len(m.news) == 0 {
		here.Accounts = &chat.Delta{From: m.told, To: m.told} // asks whether it still holds
		return here
	}
	m.moment++
	d := &chat.Delta{From: m.told, To: m.moment}
	if m.told == 0 {
		d.Came = slices.Collect(maps.Keys(m.users))
	} else {
		for account := range m.news {
			if m.users[account] > 0 {
				d.Came = append(d.Came, account)
			} else {
				d.Went = append(d.Went, account)
			}
		}
	}
	clear(m.news)
	here.Accounts = d
	return here
}

func (m *Members) reported(here chat.Here, err error, stale bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.told = 0; {
	case err != nil: // the outcome is not known: all are told next time
	case stale:
		m.change() // at once
	default:
		m.told = here.Accounts.To
	}
}

// Leave forgets a member.
func (m *Members) Leave(p *Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.places, p)
	if p.greeted {
		m.count(p.account, -1)
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

// here is how many people, guests and different accounts are connected to this
// server.
func (m *Members) here() Online {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Online{m.people, m.guests, len(m.users)}
}

// inform makes a member one that gets presence frames, and notes that it is
// told the numbers now.
func (m *Members) inform(p *Place, online Online) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.informed, p.told, p.toldAt = true, online, time.Now()
}

// untold gives the members that get presence frames and were last told other
// numbers, and notes that they are told now. Those told less than presenceGap
// ago are left for later.
func (m *Members) untold(online Online) (due []Member, later bool) {
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
