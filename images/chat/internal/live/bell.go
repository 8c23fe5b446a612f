package live

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// roomsGap is the least time between two rooms frames to a client, but for
// those that follow a welcome.
const roomsGap = time.Second

// ringer is the session that the bell is rung for.
type ringer interface {
	// renewRooms lets the hub know of more rooms.
	renewRooms()
	// tellRoomsAfter lets the client know, unless it was told less than gap ago;
	// false: not yet.
	tellRoomsAfter(gap time.Duration) bool
}

// roomBell is rung for sessions whose rooms have changed. Its one goroutine
// lets the hub know at once, and the client at most once in roomsGap. What the
// feed shows of messages after a ring, it shows to a hub that knows (renew).
// Ringing never waits; it is safe for use by many goroutines.
type roomBell struct {
	wake     chan struct{} // capacity 1
	rung     atomic.Bool   // the hub does not know of all that was rung for
	renewing sync.Mutex    // held while the hub is told

	mu    sync.Mutex
	due   map[ringer]struct{} // the hub does not know
	known map[ringer]struct{} // the hub knows, run does not
}

func newRoomBell() *roomBell {
	return &roomBell{wake: make(chan struct{}, 1), due: map[ringer]struct{}{}, known: map[ringer]struct{}{}}
}

func (b *roomBell) ring(s ringer) {
	b.mu.Lock()
	b.due[s] = struct{}{}
	b.rung.Store(true)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default: // run is woken already
	}
}

// renew lets the hub know of all that was rung for before it was called; where
// another call is at that, it waits for it. Where nobody rang it costs one look.
func (b *roomBell) renew() {
	if !b.rung.Load() {
		return
	}
	b.renewing.Lock()
	defer b.renewing.Unlock()
	b.mu.Lock()
	now := b.due
	b.due = map[ringer]struct{}{}
	b.mu.Unlock()
	for s := range now {
		s.renewRooms()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.Copy(b.known, now)
	b.rung.Store(len(b.due) > 0)
}

// take adds those that the hub knows of to the ones whose clients wait.
func (b *roomBell) take(waiting map[ringer]struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.Copy(waiting, b.known)
	clear(b.known)
}

// run tells until ctx ends.
func (b *roomBell) run(ctx context.Context) {
	waiting := map[ringer]struct{}{} // the hub knows, the client does not
	var tick <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-tick:
		}
		b.renew()
		b.take(waiting)
		for s := range waiting {
			if s.tellRoomsAfter(roomsGap) {
				delete(waiting, s)
			}
		}
		if tick = nil; len(waiting) > 0 {
			tick = time.After(roomsGap / 4)
		}
	}
}
