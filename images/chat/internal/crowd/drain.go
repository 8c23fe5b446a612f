package crowd

import (
	"context"
	"math/rand/v2"
	"time"

	"chatapp/chat/internal/clock"
	"chatapp/chat/internal/wire"
)

// drainTick is how often Dismiss looks whether the last members have left.
const drainTick = 50 * time.Millisecond

// Dismiss sends every member bye, in no order, spread over a time so that the
// other servers are not stormed. A client has leave to open its next
// connection; until then the old one delivers. Dismiss returns when all are
// gone, or when ctx ends. No member may enter any more.
func (m *Members) Dismiss(ctx context.Context, spread, leave time.Duration) {
	members := m.all()
	rand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	bye := byeFrame("this server is going away", leave)
	step := spread / time.Duration(max(1, len(members)))
	var sent farewells
	for i, member := range members {
		if i > 0 && !clock.Pause(ctx, step) {
			return
		}
		member.Bye(bye)
		sent.add(member, leave)
		sent.closeDue()
	}
	for {
		sent.closeDue()
		if sent.still() == 0 || !clock.Pause(ctx, drainTick) {
			return
		}
	}
}

func byeFrame(reason string, leave time.Duration) *wire.Frame {
	return &wire.Frame{Text: wire.AppendBye(nil, reason, leave)}
}

// farewells are members that were sent bye, in that order, and when each is
// closed if it stays.
type farewells []farewell

type farewell struct {
	member Member
	until  time.Time
}

func (f *farewells) add(m Member, leave time.Duration) {
	*f = append(*f, farewell{m, time.Now().Add(leave)})
}

// closeDue closes those whose time is up. Times ascend, so it stops at the
// first that has time left.
func (f *farewells) closeDue() {
	now := time.Now()
	for len(*f) > 0 && !now.Before((*f)[0].until) {
		if m := (*f)[0].member; !m.Ended() {
			m.Close(wire.CloseGoingAway)
		}
		*f = (*f)[1:]
	}
}

// still forgets those that have gone, and gives how many have not.
func (f *farewells) still() int {
	stay := (*f)[:0]
	for _, one := range *f {
		if !one.member.Ended() {
			stay = append(stay, one)
		}
	}
	*f = stay
	return len(stay)
}
