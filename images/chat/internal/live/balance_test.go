package live

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/clock"
)

// others speaks for another server until the test's bubble ends.
func others(ctx context.Context, store *memStore, server string, people int, open bool) {
	go func() {
		for {
			_, _ = store.Tell(ctx, server, chat.Here{People: people, Open: open})
			if !clock.Pause(ctx, chat.PresencePeriod) {
				return
			}
		}
	}()
}

func TestBalance(t *testing.T) {
	const leave = 5 * time.Second
	for name, c := range map[string]struct {
		people int
		open   bool
		stay   [2]int // how many, at the least and the most
	}{
		"an empty server comes": {0, true, [2]int{30, 45}},
		"an equal server comes": {60, true, [2]int{60, 60}},
		// Who leaves will send its clients here: none may be sent there.
		"a server leaves": {0, false, [2]int{60, 60}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, Config{DrainLeave: leave, BalanceAbove: 1.15}, func(t *testing.T, p *pod, store *memStore) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				var clients []*client
				for range 60 {
					clients = append(clients, p.join(`{"type":"hello","limit":0}`))
				}
				others(ctx, store, "other", c.people, c.open)
				time.Sleep(time.Minute)
				if n := p.Online(); n < c.stay[0] || n > c.stay[1] {
					t.Errorf("%d of 60 are still here, want %v", n, c.stay)
				}
				moved := 0
				for i, c := range clients {
					bye, end := c.got("bye"), c.got("close")
					if len(bye) == 0 && len(end) == 0 {
						continue
					}
					moved++
					if len(bye) != 1 || len(end) != 1 || end[0].code != 1001 || end[0].at-bye[0].at < leave {
						t.Errorf("client %d: bye %+v, close %+v; want one bye, and %v later 1001", i, bye, end, leave)
					}
				}
				if moved != 60-p.Online() {
					t.Errorf("%d were told, %d left", moved, 60-p.Online())
				}
			})
		})
	}
}

// TestNobodyMovesInARush: people come to both servers at once, and each hears
// of the other's a little late.
func TestNobodyMovesInARush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore(1)
		c := Config{DrainLeave: 5 * time.Second, BalanceAbove: 1.15}
		a, b := start(t, store, c), start(t, store, c)
		defer a.close()
		defer b.close()
		var clients []*client
		for range 150 {
			time.Sleep(15 * time.Millisecond)
			clients = append(clients, a.join(`{"type":"hello","limit":0}`), b.join(`{"type":"hello","limit":0}`))
		}
		time.Sleep(20 * time.Second)
		for i, c := range clients {
			if len(c.got("bye", "close")) > 0 {
				t.Fatalf("client %d was sent away", i)
			}
		}
	})
}

// TestNobodyMovesWhileLeaving: a drain is not disturbed.
func TestNobodyMovesWhileLeaving(t *testing.T) {
	bubble(t, 1, Config{DrainSettle: time.Minute, DrainLeave: time.Second, BalanceAbove: 1.15}, func(t *testing.T, p *pod, store *memStore) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for range 60 {
			p.join(`{"type":"hello","limit":0}`)
		}
		drained := make(chan struct{})
		go func() { defer close(drained); p.Drain(context.Background()) }()
		synctest.Wait()
		others(ctx, store, "other", 0, true)
		time.Sleep(50 * time.Second)
		if n := p.Online(); n != 60 {
			t.Errorf("%d of 60 are left before the first bye", n)
		}
		<-drained
	})
}
