package live

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/chat"
)

// TestOvertakenByRetention: while a server could not read the log, retention
// removed what it had still to read. Nobody is shown what comes after the gap
// as if nothing were missing: the sockets are closed, and whoever resumes is
// told that it has missed something.
func TestOvertakenByRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore(2)
		var frozen atomic.Bool
		store.trouble = func(context.Context, string) error {
			if frozen.Load() {
				return errTrouble
			}
			return nil
		}
		p := start(t, store, Config{})
		defer p.close()
		synctest.Wait()
		clients := []*client{p.join(hello(chat.AllTopics, "", 10)), p.join(`{"type":"hello","topics":["tea"]}`), p.join(`{"type":"hello","topics":[]}`)}
		synctest.Wait()
		store.post("seen", "tea", "seen")
		time.Sleep(time.Second)
		frozen.Store(true)
		time.Sleep(3 * time.Second)
		for i := range 100 {
			store.post(fmt.Sprint("k", i), "tea", fmt.Sprint(i))
		}
		store.cut(chat.PartitionOf("tea", 2), 10)
		frozen.Store(false)
		time.Sleep(3 * time.Second)
		for i, c := range clients {
			if end := c.got("close"); len(end) != 1 || end[0].code != 1001 {
				t.Fatalf("client %d: close %+v; want 1001", i, end)
			}
			if n := c.count(); n > 1 {
				t.Errorf("client %d got %d messages: it was shown what comes after the gap", i, n)
			}
			clients[i] = p.join(hello(chat.AllTopics, c.cursor(), 50))
		}
		synctest.Wait()
		store.post("after", "tea", "after")
		synctest.Wait()
		for i, c := range clients {
			w := c.got("welcome")
			if len(w) != 1 || w[0].frame.Recovered || c.contents() != "90 91 92 93 94 95 96 97 98 99 after" {
				t.Errorf("client %d, again: %+v, %q; want not recovered, the last 10, and what came after", i, w, c.contents())
			}
			c.leave()
		}
	})
}

// TestForkedUnderATail: what the tail reads does not follow on what it has read,
// since the log has lost its end. That is another log, not retention, in the
// metrics that operators watch.
func TestForkedUnderATail(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		c := p.join(hello(chat.AllTopics, "", 10))
		store.post("k", "tea", "lost")
		time.Sleep(time.Second)
		store.fork(0)
		store.post("k2", "tea", "new")
		<-c.done
		time.Sleep(time.Second)
		if e := c.got("close")[0]; e.code != 1001 || c.contents() != "lost" {
			t.Errorf("close %d after %q; want 1001, and nothing beyond the fork", e.code, c.contents())
		}
		if n := p.counted("chat_log_resets_total"); n != 1 {
			t.Errorf("%v resets of the log; want 1", n)
		}
		if n := p.counted("chat_tail_overtaken_total"); n != 0 {
			t.Errorf("overtaken by retention %v times; want never", n)
		}
	})
}

// TestNothingIsLeft: retention has removed everything, and nobody has missed
// anything. Sockets stay, and cursors are honoured.
func TestNothingIsLeft(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		c := p.join(hello(chat.AllTopics, "", 10))
		store.post("k", "tea", "old")
		time.Sleep(time.Second)
		store.cut(0, 0)
		time.Sleep(time.Minute)
		store.post("k2", "tea", "new")
		time.Sleep(time.Second)
		if c.contents() != "old new" || c.got("close") != nil {
			t.Errorf("got %q, close %+v; want both, no close", c.contents(), c.got("close"))
		}
		again := p.join(hello(chat.AllTopics, c.cursor(), 10))
		synctest.Wait()
		if w := again.got("welcome"); len(w) != 1 || !w[0].frame.Recovered {
			t.Errorf("welcome %+v; want recovered", w)
		}
		again.leave()
		c.leave()
	})
}
