package live

import (
	"context"
	"sync"
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
// lets the hub know at once, and the client at most once in roomsGap. Ringing
// never waits; it is safe for use by many goroutines.
type roomBell struct {
	wake chan struct{} // capacity 1

	mu  sync.Mutex
	due map[ringer]struct{}
}

func newRoomBell() roomBell {
	return roomBell{wake: make(chan struct{}, 1), due: map[ringer]struct{}{}}
}

func (b *roomBell) ring(s ringer) {
	b.mu.Lock()
	b.due[s] = struct{}{}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default: // run is woken already
	}
}

func (b *roomBell) take() []ringer {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]ringer, 0, len(b.due))
	for s := range b.due {
		list = append(list, s)
	}
	clear(b.due)
	return list
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
		for _, s := range b.take() {
			s.renewRooms()
			waiting[s] = struct{}{}
		}
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
