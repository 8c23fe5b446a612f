package live

import (
	"context"
	"math/rand/v2"
	"time"

	"chatapp/chat/internal/wire"
)

// Drain lets every client go in its own time. Readiness is withdrawn at once;
// for DrainSettle everything goes on as before, while load balancers notice;
// then no more connections are taken and each client is sent bye, spread over
// DrainSpread so that the other servers are not stormed. A client has
// DrainLeave to open its next connection; until then the old one delivers.
// Drain returns when all are gone, or when ctx ends.
func (l *Sessions) Drain(ctx context.Context) {
	l.mu.Lock()
	l.stopping = true
	l.mu.Unlock()
	l.presence.changed() // the others count on this server no more
	pause(ctx, l.DrainSettle)
	l.mu.Lock()
	l.leaving = true
	l.mu.Unlock()

	sessions := l.all()
	rand.Shuffle(len(sessions), func(i, j int) { sessions[i], sessions[j] = sessions[j], sessions[i] })
	bye := &frame{text: wire.AppendBye(nil, "this server is going away", l.DrainLeave)}
	step := l.DrainSpread / time.Duration(max(1, len(sessions)))
	var told []farewell
	for i, s := range sessions {
		if i > 0 && !pause(ctx, step) {
			return
		}
		s.out.push(bye)
		told = append(l.dismiss(told), farewell{s, time.Now().Add(l.DrainLeave)})
	}
	for len(told) > 0 {
		if !pause(ctx, min(drainTick, time.Until(told[0].until))) {
			return
		}
		told = l.dismiss(told)
	}
}

// drainTick is how often Drain looks whether the last clients have left.
const drainTick = 50 * time.Millisecond

// farewell is a session that was sent bye, and when it is closed if it stays.
type farewell struct {
	session *session
	until   time.Time
}

// dismiss closes the sessions whose time is up and drops those that are gone.
func (l *Sessions) dismiss(told []farewell) []farewell {
	stay := told[:0]
	for _, f := range told {
		switch {
		case f.session.out.ended():
		case !time.Now().Before(f.until):
			l.metrics.closed(wire.CloseGoingAway)
			f.session.out.close(wire.CloseGoingAway)
		default:
			stay = append(stay, f)
		}
	}
	return stay
}
