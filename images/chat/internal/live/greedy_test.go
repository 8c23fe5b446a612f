package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
)

// TestUnreadAnswers: a client that asks and does not read is heard no further
// once a page waits, and is let go when it has taken nothing for takeWait; it
// is counted as a slow reader, even if it cannot be told.
func TestUnreadAnswers(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		for i := range 100 {
			store.post(fmt.Sprint("k", i), "tea", strings.Repeat("x", 3900))
		}
		time.Sleep(time.Second)
		c := p.connect() // a pipe has no buffer
		c.say(`{"type":"hello","topics":[],"limit":0}`)
		for len(c.got("presence")) == 0 {
			c.hear()
		}
		began := store.count("before")
		said := make(chan int)
		go func() {
			n := 0
			for c.WriteMessage(websocket.TextMessage, []byte(`{"type":"history","ref":"r","limit":200}`)) == nil {
				n++
			}
			said <- n
		}()
		time.Sleep(2*takeWait + 2*goodbyeWait + time.Second)
		if n := p.Online(); n != 0 {
			t.Errorf("still there %v after its last sign of reading", takeWait+2*goodbyeWait)
		}
		if n := <-said; n > 2 {
			t.Errorf("%d frames were heard of a client that reads nothing", n)
		}
		if n := store.count("before") - began; n > 2 {
			t.Errorf("%d questions for a client that reads nothing", n)
		}
		if n := p.counted("chat_slow_readers_total"); n != 1 {
			t.Errorf("%v slow readers were counted; want 1", n)
		}
		c.leave()
	})
}

func TestWaits(t *testing.T) {
	if 2*takeWait >= writeWait {
		t.Error("a write fails before the client is told that it is slow")
	}
}

// TestUnreadWelcome: the same of a client that does not take what it missed.
func TestUnreadWelcome(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		for i := range 3000 {
			store.post(fmt.Sprint("k", i), "tea", strings.Repeat("x", 3900))
		}
		time.Sleep(time.Second)
		c := p.connect()
		began := store.count("read")
		c.say(hello(chat.AllTopics, chat.Cursor{Epoch: p.snapshot().Epoch, Pos: make([]chat.Pos, 1)}.String(), 0))
		time.Sleep(2*takeWait + 2*goodbyeWait + time.Second)
		if n := p.Online(); n != 0 {
			t.Error("still there")
		}
		if n := store.count("read") - began; n > 30 { // the tail waits on, too
			t.Errorf("%d reads for a client that reads nothing", n)
		}
		if n := p.counted("chat_slow_readers_total"); n != 1 {
			t.Errorf("%v slow readers were counted; want 1", n)
		}
		c.leave()
	})
}

// TestReadsAreLimited: history and subscribe count against one rate, of the
// session and of where it comes from; what is refused is told, and when to come
// again, and changes nothing.
func TestReadsAreLimited(t *testing.T) {
	for name, c := range map[string]Config{
		"session": {ReadRate: 2, ReadBurst: 3},
		"source":  {SourceReads: limit.NewKeyed(limit.Rate{PerSecond: 2, Burst: 3})},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, c, func(t *testing.T, p *pod, store *memStore) {
				c := p.join(`{"type":"hello","topics":["tea"],"limit":0}`)
				time.Sleep(time.Second)
				began := store.count("before")
				for i := range 3 {
					c.say(fmt.Sprintf(`{"type":"history","ref":"r%d"}`, i))
				}
				c.say(`{"type":"history","ref":"over"}`)
				c.say(`{"type":"subscribe","topics":["cake"]}`)
				time.Sleep(time.Millisecond)
				if n := len(c.got("history")); n != 3 {
					t.Errorf("%d answers within the limit; want 3", n)
				}
				errors := c.got("error")
				if len(errors) != 2 {
					t.Fatalf("%d errors; want 2", len(errors))
				}
				for i, ref := range []string{"over", ""} {
					if f := errors[i].frame; f.Code != "rate_limited" || f.Ref != ref || f.RetryAfterMs < 400 || f.RetryAfterMs > 500 {
						t.Errorf("over the limit: %+v", f)
					}
				}
				if n := store.count("before") - began; n > 3 {
					t.Errorf("%d questions of the log for 3 answers", n)
				}
				store.post("k", "tea", "still subscribed")
				time.Sleep(500 * time.Millisecond)
				c.say(`{"type":"history","ref":"later"}`)
				time.Sleep(time.Second)
				if c.contents() != "still subscribed" || len(c.got("history")) != 4 {
					t.Errorf("afterwards: %q, %d answers", c.contents(), len(c.got("history")))
				}
				c.leave()
			})
		})
	}
}

// TestHelloCostsFewCalls counts what the log is asked by hellos that name many
// topics nobody has used, or none, from a cursor so old that the whole log is
// after it.
func TestHelloCostsFewCalls(t *testing.T) {
	const partitions = 4
	bubble(t, partitions, Config{}, func(t *testing.T, p *pod, store *memStore) {
		for i := range 12_000 { // more than the window has
			store.post(fmt.Sprint("k", i), fmt.Sprint("topic", i%40), "x")
		}
		time.Sleep(time.Second)
		old := chat.Cursor{Epoch: p.snapshot().Epoch, Pos: make([]chat.Pos, partitions)}.String()
		for name, say := range map[string]func(chat.TopicSet) string{
			"latest":        func(topics chat.TopicSet) string { return hello(topics, "", 50) },
			"resume":        func(topics chat.TopicSet) string { return hello(topics, old, 0) },
			"resume, empty": func(chat.TopicSet) string { return hello(chat.TopicSet{}, old, 0) },
		} {
			var unknown []string
			for i := range chat.MaxTopics {
				unknown = append(unknown, fmt.Sprint(name, i))
			}
			topics, err := chat.NewTopicSet(unknown)
			if err != nil {
				t.Fatal(err)
			}
			var before [3]int
			calls := []string{"before", "last", "state"}
			for i, call := range calls {
				before[i] = store.count(call)
			}
			reads := store.count("read")
			c := p.join(say(topics))
			time.Sleep(time.Millisecond)
			sum := 0
			for i, call := range calls {
				sum += store.count(call) - before[i]
			}
			sum += store.count("read") - reads
			w := c.got("welcome")
			if len(w) != 1 || len(w[0].frame.Messages) != 0 || w[0].frame.More || w[0].frame.Recovered != strings.HasPrefix(name, "resume") {
				t.Errorf("%s: %+v", name, w)
			}
			t.Logf("%s: %d calls in %d partitions", name, sum, partitions)
			if sum > 4*partitions {
				t.Errorf("%s: %d calls of the log in %d partitions; want at most 4 in each", name, sum, partitions)
			}
			// What is said from now on comes, and comes once.
			store.post("new "+name, unknown[7], name)
			time.Sleep(time.Second)
			if want := map[bool]string{true: "", false: name}[name == "resume, empty"]; c.contents() != want {
				t.Errorf("%s: then %q came; want %q", name, c.contents(), want)
			}
			c.leave()
		}
	})
}
