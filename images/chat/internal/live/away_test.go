package live

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hang makes a store, from some moment on, one that takes calls and never
// answers, as a Redis that hangs does: a call ends with its context.
func hang(store *memStore) (now func(), then func()) {
	var hung atomic.Bool
	store.trouble = func(ctx context.Context, _ string) error {
		if hung.Load() {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	}
	return func() { hung.Store(true) }, func() { hung.Store(false) }
}

// TestLeavingWithTheLogAway: sessions that wait for the log, in every way they
// can, hold up neither the drain nor the close after it.
func TestLeavingWithTheLogAway(t *testing.T) {
	const settle, spread, leave = 5 * time.Second, 10 * time.Second, 5 * time.Second
	for name, end := range map[string]struct {
		do   func(p *pod)
		most time.Duration
	}{
		"drain, then close": {func(p *pod) { p.Drain(context.Background()); p.Sessions.Close() }, settle + spread + leave + 2*goodbyeWait},
		"close":             {func(p *pod) { p.Sessions.Close() }, 2 * goodbyeWait},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemStore(1)
				hangNow, answer := hang(store)
				p := start(t, store, Config{DrainSettle: settle, DrainSpread: spread, DrainLeave: leave})
				defer p.close()
				synctest.Wait()
				idle := p.join(`{"type":"hello"}`)
				asks := p.join(`{"type":"hello"}`)
				posts := p.join(`{"type":"hello"}`)
				synctest.Wait()
				hangNow()
				time.Sleep(5 * time.Second) // the tails' reads hang, too
				asks.say(`{"type":"history","ref":"r"}`)
				for i := range postsUnderWay {
					posts.say(fmt.Sprintf(`{"type":"post","key":"k%d","topic":"tea","name":"Ann","email":"ann@example.org","content":"x"}`, i))
				}
				clients := []*client{idle, asks, posts}
				for range 20 { // beyond what the server remembers
					c := p.connect()
					c.listen(false) // a pong would wait: nobody reads, and a pipe has no buffer
					c.say(`{"type":"hello","cursor":"unknown"}`)
					clients = append(clients, c)
				}
				synctest.Wait()
				began := time.Now()
				end.do(p)
				took := time.Since(began)
				t.Logf("ended after %v", took)
				if took > end.most {
					t.Errorf("took %v; want at most %v", took, end.most)
				}
				for i, c := range clients {
					<-c.done
					if e := c.got("close"); e[0].code != 1001 {
						t.Errorf("client %d: closed with %d; want 1001", i, e[0].code)
					}
				}
				answer()
			})
		})
	}
}
