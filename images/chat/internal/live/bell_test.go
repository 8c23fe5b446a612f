package live

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// heeding is a ringer that may take its time over the hub.
type heeding struct {
	entered, leave chan struct{} // nil: at once
	renewed        atomic.Int32
	told           chan struct{}
}

func (h *heeding) renewRooms() {
	if h.entered != nil {
		close(h.entered)
		<-h.leave
	}
	h.renewed.Add(1)
}

func (h *heeding) tellRoomsAfter(time.Duration) bool {
	close(h.told)
	return true
}

func newHeeding() *heeding { return &heeding{told: make(chan struct{})} }

// TestTheHubKnowsBeforeMoreIsShown: after a ring, renew returns when the hub
// knows, whether the bell's own goroutine is at it or has not come to it; and
// the client is told once.
func TestTheHubKnowsBeforeMoreIsShown(t *testing.T) {
	t.Run("the bell has not come to it", func(t *testing.T) {
		b, s := newRoomBell(), newHeeding()
		b.renew()
		b.ring(s)
		b.renew()
		b.renew()
		if n := s.renewed.Load(); n != 1 {
			t.Errorf("renewed %d times; want 1", n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			b.run(ctx)
			close(ended)
		}()
		<-s.told
		cancel()
		<-ended
		if n := s.renewed.Load(); n != 1 {
			t.Errorf("renewed %d times; want no second time", n)
		}
	})
	t.Run("the bell is at it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		b, s := newRoomBell(), newHeeding()
		s.entered, s.leave = make(chan struct{}), make(chan struct{})
		ended := make(chan struct{})
		go func() {
			b.run(ctx)
			close(ended)
		}()
		b.ring(s)
		<-s.entered
		shown, begun := make(chan int32), make(chan struct{})
		go func() {
			close(begun)
			b.renew()
			shown <- s.renewed.Load()
		}()
		<-begun
		for range 1000 {
			runtime.Gosched() // one that does not wait is through by now
		}
		close(s.leave)
		if n := <-shown; n != 1 {
			t.Errorf("more was shown when the hub knew of %d; want 1", n)
		}
		<-s.told
		cancel()
		<-ended
	})
}
