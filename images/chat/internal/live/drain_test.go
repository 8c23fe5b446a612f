package live

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestDrain(t *testing.T) {
	const settleFor, spread, leave = 5 * time.Second, 10 * time.Second, 5 * time.Second
	c := Config{DrainSettle: settleFor, DrainSpread: spread, DrainLeave: leave}
	bubble(t, 2, c, func(t *testing.T, p *pod, store *memStore) {
		var clients []*client
		for range 10 {
			clients = append(clients, p.join(`{"type":"hello","limit":0}`))
		}
		synctest.Wait()
		if err := p.Ready(time.Hour); err != nil {
			t.Errorf("not ready before: %v", err)
		}
		began := time.Now()
		drained := make(chan struct{})
		go func() { defer close(drained); p.Drain(context.Background()) }()
		synctest.Wait()
		if err := p.Ready(time.Hour); err == nil {
			t.Error("ready while draining")
		}

		// While load balancers notice, everything goes on.
		time.Sleep(settleFor - time.Second)
		late := p.join(`{"type":"hello","limit":0}`)
		clients = append(clients, late)
		time.Sleep(2 * time.Second)
		if _, err := p.tryConnect(); err == nil {
			t.Error("a new connection is taken after the first bye")
		}

		// One message a second: each goes to all who have not left yet.
		posted := map[string]time.Duration{}
		for i := range 25 {
			content := fmt.Sprint("m", i)
			posted[content] = time.Since(began)
			store.post(content, "tea", content)
			time.Sleep(time.Second)
		}
		<-drained
		if took := time.Since(began); took > settleFor+spread+leave+time.Minute/2 {
			t.Errorf("drained after %v", took)
		}

		var byes []time.Duration
		for i, c := range clients {
			<-c.done
			bye, end := c.got("bye"), c.got("close")
			if len(bye) != 1 || bye[0].frame.ReconnectInMs != int(leave.Milliseconds()) || bye[0].frame.Reason == "" {
				t.Fatalf("client %d: bye %+v; want one, reconnect within %v", i, bye, leave)
			}
			since := c.began.Sub(began)
			byes = append(byes, since+bye[0].at)
			stayed := end[0].at - bye[0].at
			if end[0].code != 1001 || stayed < leave || stayed > leave+spread/10 {
				t.Errorf("client %d: closed with %d, %v after bye; want 1001, %v", i, end[0].code, stayed, leave)
			}
			var got []string
			for _, e := range c.got("messages") {
				for _, m := range e.frame.Messages {
					got = append(got, m.Content)
				}
			}
			want := 0
			for _, at := range posted {
				if at < since+end[0].at {
					want++
				}
			}
			if len(got) != want {
				t.Errorf("client %d: got %d messages up to its close; want %d", i, len(got), want)
			}
		}
		slices.Sort(byes)
		if first, last := byes[0], byes[len(byes)-1]; first != settleFor || last > settleFor+spread || last < settleFor+spread*8/10 {
			t.Errorf("byes from %v to %v; want them spread over %v after %v", first, last, spread, settleFor)
		}
		for i := 1; i < len(byes); i++ {
			if gap := byes[i] - byes[i-1]; gap < spread/20 || gap > spread/5 {
				t.Errorf("%v between two byes; want them even", gap)
			}
		}
	})
}

func TestDrainEndsWhenAllHaveLeft(t *testing.T) {
	c := Config{DrainSettle: 5 * time.Second, DrainSpread: 10 * time.Second, DrainLeave: 5 * time.Second}
	for name, n := range map[string]int{"nobody": 0, "one": 1, "four": 4} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, c, func(t *testing.T, p *pod, _ *memStore) {
				var clients []*client
				for range n {
					c := p.join(`{"type":"hello"}`)
					clients = append(clients, c)
					go func() { // leaves as soon as it is told
						for len(c.got("bye", "close")) == 0 {
							time.Sleep(10 * time.Millisecond)
						}
						c.Close()
					}()
				}
				synctest.Wait()
				began := time.Now()
				p.Drain(context.Background())
				// n byes have n-1 steps of spread between them.
				most := 5*time.Second + 10*time.Second/time.Duration(max(1, n))*time.Duration(max(0, n-1)) + time.Second
				if took := time.Since(began); took < 5*time.Second || took > most {
					t.Errorf("took %v; want no more than %v", took, most)
				}
				for _, c := range clients {
					<-c.done
				}
			})
		})
	}
}

func TestDrainIsCutShort(t *testing.T) {
	bubble(t, 1, Config{DrainSettle: time.Hour}, func(t *testing.T, p *pod, _ *memStore) {
		c := p.join(`{"type":"hello"}`)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		began := time.Now()
		p.Drain(ctx)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v; want until its context ended", took)
		}
		p.Sessions.Close()
		<-c.done
		if e := c.got("close"); e[0].code != 1001 {
			t.Errorf("closed with %d; want 1001", e[0].code)
		}
	})
}
