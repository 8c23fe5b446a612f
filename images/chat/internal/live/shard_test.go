package live

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/chat"
)

// A server that starts while a shard is away is ready, and serves the topics
// of all others. When the shard is there, what it holds is shown.
func TestStartWithADeadShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dead := newMemStore(3), chat.PartitionOf("dead", 3)
		store.post("a", "dead", "before")
		var away atomic.Bool
		away.Store(true)
		store.gone = func(ctx context.Context, part int) error {
			if part != dead || !away.Load() {
				return nil
			}
			<-ctx.Done() // it is asked for as long as anybody waits
			return errTrouble
		}
		p := start(t, store, Config{})
		defer p.close()
		time.Sleep(time.Minute)
		if err := p.Ready(30 * time.Second); err != nil {
			t.Errorf("after a minute: %v", err)
		}
		c := p.join(`{"type":"hello","topics":["tea"]}`)
		time.Sleep(4 * time.Second)
		c.say(`{"type":"post","key":"b","topic":"tea","name":"Ann","email":"ann@example.org","content":"b"}`)
		time.Sleep(time.Second)
		if got := c.contents(); got != "b" {
			t.Errorf("got %q; want b", got)
		}
		away.Store(false)
		time.Sleep(10 * time.Second)
		if e := c.got("close"); len(e) != 1 || e[0].code != 1001 {
			t.Errorf("when all of the log is there: %+v; want a close with 1001", e)
		}
		c.leave()
		again := p.join(`{"type":"hello"}`)
		time.Sleep(time.Second)
		if got := again.contents(); got != "before b" {
			t.Errorf("got %q; want before and b", got)
		}
		again.leave()
	})
}

// A shard of the log that is away stops its own topics alone: the server stays
// ready for longer than it would tolerate a log that is away, a hello is
// answered at once, posts to the other topics go through; and when the shard is
// back, nothing is missing.
func TestDeadShardStopsItsOwnTopicsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, dead := newMemStore(3), chat.PartitionOf("dead", 3)
		if chat.PartitionOf("tea", 3) == dead {
			t.Fatal("choose another topic")
		}
		var away atomic.Bool
		store.gone = func(ctx context.Context, part int) error {
			if part != dead || !away.Load() {
				return nil
			}
			select { // it takes as long as a Redis that is away does
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			return errTrouble
		}
		p := start(t, store, Config{})
		defer p.close()
		synctest.Wait()
		store.post("a", "dead", "before")
		synctest.Wait()
		away.Store(true)
		time.Sleep(5 * time.Minute)
		if err := p.Ready(30 * time.Second); err != nil {
			t.Errorf("after 5 minutes: %v", err)
		}
		begun := time.Now()
		c := p.join(`{"type":"hello"}`)
		for len(c.got("welcome")) == 0 && time.Since(begun) < time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(begun); took > 100*time.Millisecond {
			t.Errorf("a hello is answered after %s", took)
		}
		post := func(key, topic string) {
			c.say(`{"type":"post","key":"` + key + `","topic":"` + topic + `","name":"Ann","email":"ann@example.org","content":"` + key + `"}`)
			time.Sleep(4 * time.Second)
		}
		post("b", "tea")
		post("c", "dead")
		if got := c.contents(); got != "before b" {
			t.Errorf("got %q; want before and b", got)
		}
		if e := c.got("error"); len(e) != 1 || e[0].frame.Code != "unavailable" {
			t.Errorf("errors: %+v; want one, unavailable", e)
		}
		away.Store(false)
		time.Sleep(4 * time.Second)
		post("c", "dead")
		if got := c.contents(); got != "before b c" {
			t.Errorf("got %q; want before, b and c", got)
		}
		if e := c.got("close"); e != nil {
			t.Errorf("closed: %+v", e)
		}
		c.leave()
	})
}
