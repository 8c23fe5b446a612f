package live

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestOutage takes the log away for 10 s under use. Sockets stay; posts are
// answered unavailable; who comes, or comes back, is answered from what the
// server remembers; and when the log is back nothing is lost or doubled.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		store := newMemStore(2)
		store.trouble = func(context.Context, string) error {
			if away.Load() {
				return errTrouble
			}
			return nil
		}
		p := start(t, store, Config{})
		defer p.close()
		synctest.Wait()
		c := p.join(`{"type":"hello","topics":["tea"]}`)
		synctest.Wait()
		empty := c.cursor()
		store.post("before", "tea", "before")
		synctest.Wait()

		away.Store(true)
		post := func(key string) {
			c.say(fmt.Sprintf(`{"type":"post","key":%q,"topic":"tea","name":"Ann","email":"ann@example.org","content":%q}`, key, key))
		}
		post("during")
		c.say(`{"type":"history","ref":"h"}`)
		time.Sleep(3 * time.Second)
		failed := c.got("error")
		if len(failed) != 2 || failed[0].frame.Code != "unavailable" || failed[1].frame.Code != "unavailable" || failed[0].frame.RetryAfterMs == 0 {
			t.Errorf("errors %+v; want the post and the history unavailable", failed)
		}
		// By then the readers of the log have failed, too.
		fresh := p.join(`{"type":"hello","topics":["tea"]}`)
		resumed := p.join(fmt.Sprintf(`{"type":"hello","topics":["tea"],"cursor":%q}`, empty))
		time.Sleep(5 * time.Second)
		if w := fresh.got("welcome"); len(w) != 1 || fresh.contents() != "before" {
			t.Errorf("a newcomer meanwhile: %d welcomes, %q", len(w), fresh.contents())
		}
		if w := resumed.got("welcome"); len(w) != 1 || !w[0].frame.Recovered || resumed.contents() != "before" {
			t.Errorf("who comes back meanwhile: %+v, %q", w, resumed.contents())
		}
		if err := p.Ready(30 * time.Second); err != nil {
			t.Errorf("not ready after 8 s: %v", err)
		}
		time.Sleep(2 * time.Second)
		away.Store(false)
		time.Sleep(time.Second)
		post("during") // again, with its key
		time.Sleep(5 * time.Second)
		for name, who := range map[string]*client{"who stayed": c, "the newcomer": fresh, "who came back": resumed} {
			if got := who.contents(); got != "before during" {
				t.Errorf("%s got %q; want before and during, once", name, got)
			}
			if e := who.got("close"); e != nil {
				t.Errorf("%s was closed: %+v", name, e)
			}
			who.leave()
		}
		if len(c.got("ack")) != 1 {
			t.Errorf("%d acks; want 1", len(c.got("ack")))
		}
	})
}

// TestOutageFromTheStart starts a server without its log: who comes waits, and
// is welcomed when the log is there.
func TestOutageFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		store := newMemStore(1)
		store.trouble = func(context.Context, string) error {
			if away.Load() {
				return errTrouble
			}
			return nil
		}
		store.post("k", "tea", "old")
		p := start(t, store, Config{})
		defer p.close()
		c := p.join(`{"type":"hello"}`)
		time.Sleep(10 * time.Second)
		if e := c.got("welcome", "error", "close"); e != nil {
			t.Errorf("answered without a log: %+v", e)
		}
		if p.Ready(time.Hour) == nil {
			t.Error("ready without ever having reached the log")
		}
		away.Store(false)
		time.Sleep(2 * time.Second)
		if c.contents() != "old" || p.Ready(time.Hour) != nil {
			t.Errorf("with the log: %+v", c.got())
		}
		c.leave()
		late := p.join(`{"type":"hello","cursor":"unknown"}`)
		away.Store(true)
		time.Sleep(logPatience + 10*time.Second)
		if e := late.got("close", "welcome"); len(e) == 0 {
			t.Error("neither welcomed nor closed after the longest wait")
		}
		late.leave()
	})
}
