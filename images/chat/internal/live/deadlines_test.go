package live

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/feed"
)

// bubble runs a test in a synctest bubble with a pod over pipes on a fresh
// log of some partitions: time is exact, and passes at once.
func bubble(t *testing.T, partitions int, c Config, test func(t *testing.T, p *pod, store *memStore)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore(partitions)
		p := start(t, store, c)
		defer p.close()
		synctest.Wait()
		test(t, p, store)
	})
}

func TestHelloDeadline(t *testing.T) {
	for name, meanwhile := range map[string]func(c *client){
		"silent":                   func(*client) {},
		"pings do not help":        func(c *client) { _ = c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) },
		"bad frames do not help":   func(c *client) { c.say(`{"type":"hello","limit":-1}`) },
		"other frames do not help": func(c *client) { c.say(`{"type":"history","ref":"r"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, Config{}, func(t *testing.T, p *pod, _ *memStore) {
				c := p.connect()
				c.listen(true)
				time.Sleep(5 * time.Second)
				meanwhile(c)
				<-c.done
				c.expectClose(4000, 10*time.Second)
			})
		})
	}
}

func TestHelloInTime(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, _ *memStore) {
		c := p.connect()
		c.listen(true)
		time.Sleep(helloWait - time.Millisecond)
		c.say(`{"type":"hello"}`)
		time.Sleep(10 * time.Minute)
		if got := c.got("close"); got != nil {
			t.Errorf("closed: %+v", got)
		}
		c.leave()
	})
}

func TestIdleClientIsDropped(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, _ *memStore) {
		c := p.connect()
		c.listen(false) // as one whose network is gone: no pong
		c.say(`{"type":"hello"}`)
		time.Sleep(7 * time.Second)
		c.say(`{"type":"history","ref":"r"}`)
		<-c.done
		c.expectClose(websocket.CloseAbnormalClosure, 67*time.Second)
		synctest.Wait()
		if n := p.Online(); n != 0 {
			t.Errorf("%d online after the only one was dropped", n)
		}
	})
}

func TestPings(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, _ *memStore) {
		var clients []*client
		for range 30 {
			clients = append(clients, p.join(`{"type":"hello"}`))
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()          // for the ping of this very moment
		seconds := map[int]int{} // of the period, in which pings came
		for i, c := range clients {
			pings := c.got("ping")
			if len(pings) != 24 || pings[0].at > pingPeriod {
				t.Fatalf("client %d: %d pings in 10 minutes, the first after %v", i, len(pings), pings[0].at)
			}
			for j := 1; j < len(pings); j++ {
				if gap := pings[j].at - pings[j-1].at; gap != pingPeriod {
					t.Errorf("client %d: %v between two pings; want %v", i, gap, pingPeriod)
				}
			}
			seconds[int(pings[0].at/time.Second)]++
			if got := c.got("close"); got != nil {
				t.Errorf("client %d: closed: %+v", i, got)
			}
			c.leave()
		}
		if len(seconds) != 25 {
			t.Errorf("30 clients are pinged in %d of 25 seconds; want all, for evenness", len(seconds))
		}
	})
}

func TestBadFrameLimit(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, _ *memStore) {
		c := p.join(`{"type":"hello"}`)
		for range 20 {
			c.say("x")
		}
		for range 100 { // one more is forgiven every 3 s
			time.Sleep(badFramePeriod)
			c.say("x")
		}
		synctest.Wait()
		if n := len(c.got("error")); n != 120 || c.got("close") != nil {
			t.Errorf("%d bad frames forgiven, %+v; want 120 and no close", n, c.got("close"))
		}
		c.say("x")
		<-c.done
		c.expectClose(4002, 100*badFramePeriod)
	})
}

// TestBadMessageLimit: posts that nobody could accept count as bad frames do,
// together with them; other refusals do not.
func TestBadMessageLimit(t *testing.T) {
	bubble(t, 1, Config{PostRate: 0.001, PostBurst: 21}, func(t *testing.T, p *pod, _ *memStore) {
		c := p.join(`{"type":"hello"}`)
		for range 10 {
			c.say("x")
			c.say(`{"type":"post","key":"k","topic":"tea","name":"Ann","email":"ann@example.org","content":" "}`)
		}
		synctest.Wait()
		if n := len(c.got("error")); n != 20 || c.got("close") != nil {
			t.Errorf("%d errors, %+v; want 20 and no close", n, c.got("close"))
		}
		for range 11 {
			c.say(`{"type":"post","key":"good","topic":"tea","name":"Ann","email":"ann@example.org","content":"hello"}`)
		}
		for range 30 {
			c.say(`{"type":"post","key":"fast","topic":"tea","name":"Ann","email":"ann@example.org","content":"hello"}`)
		}
		synctest.Wait()
		if n := len(c.got("error")); n != 50 || c.got("close") != nil {
			t.Errorf("%d errors, %+v; want 50, 30 of them rate_limited, and no close", n, c.got("close"))
		}
	})
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, _ *memStore) {
		c := p.join(`{"type":"hello"}`)
		for range 21 {
			c.say(`{"type":"post","key":"k","topic":"tea","name":"Ann","email":"ann@example.org","content":" "}`)
		}
		<-c.done
		c.expectClose(4002, 0)
	})
}

func TestPostRateLimit(t *testing.T) {
	bubble(t, 1, Config{PostRate: 20, PostBurst: 40}, func(t *testing.T, p *pod, _ *memStore) {
		c := p.join(`{"type":"hello","topics":[]}`)
		n := 0
		post := func() {
			n++
			c.say(fmt.Sprintf(`{"type":"post","key":"k%d","topic":"tea","name":"Ann","email":"ann@example.org","content":"x"}`, n))
		}
		for range 41 {
			post()
		}
		synctest.Wait()
		refused := c.got("error")
		if len(c.got("ack")) != 40 || len(refused) != 1 {
			t.Fatalf("41 posts at once: %d acks, %d errors; want 40 and 1", len(c.got("ack")), len(refused))
		}
		if f := refused[0].frame; f.Code != "rate_limited" || f.Key != "k41" || f.RetryAfterMs != 50 {
			t.Errorf("refused with %+v; want rate_limited, k41, retry after 50 ms", f)
		}
		time.Sleep(50 * time.Millisecond)
		post()
		synctest.Wait()
		if len(c.got("ack")) != 41 {
			t.Error("the post after retry_after_ms is refused")
		}
		for range 1000 { // 100 a second for 10 s
			time.Sleep(10 * time.Millisecond)
			post()
		}
		synctest.Wait()
		if n := len(c.got("ack")); n != 41+200 {
			t.Errorf("%d acks; want 41, then 20 a second for 10 s", n)
		}
		c.leave()
	})
}

func TestNoPostRateLimit(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, _ *memStore) {
		c := p.join(`{"type":"hello","topics":[]}`)
		for i := range 500 {
			c.say(fmt.Sprintf(`{"type":"post","key":"k%d","topic":"tea","name":"Ann","email":"ann@example.org","content":"x"}`, i))
		}
		synctest.Wait()
		if len(c.got("ack")) != 500 {
			t.Errorf("%d acks; want 500", len(c.got("ack")))
		}
		c.leave()
	})
}

// TestRelations checks what the comments of the constants say of each other.
func TestRelations(t *testing.T) {
	for what, holds := range map[string]bool{
		"a client may miss one ping":                            idleWait > 2*pingPeriod,
		"a slow reader is closed within 5 s":                    2*goodbyeWait < 5*time.Second,
		"a write under way and a close frame fit after goodbye": goodbyeBuffer > sendBuffer+maxJoined,
		"a page holds what one attach may answer":               feed.MaxAttach <= pageMessages,
		"a frame that joins is bounded like a client's own":     maxJoined <= 32<<10,
		"pings are spread over whole seconds":                   pingPeriod%time.Second == 0,
	} {
		if !holds {
			t.Error(what, "no longer holds")
		}
	}
}
