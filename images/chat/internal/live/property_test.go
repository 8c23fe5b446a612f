package live

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/clock"
)

// TestEachMessageOnceAndInOrder drives two pods on one log that is often slow
// and sometimes fails: posters post (again with the same key, after an error),
// readers come, go, resume on either pod and change their topics. Every
// connection must get, topic by topic, exactly what the log has from where it
// began: no gap, no repeat, one order.
func TestEachMessageOnceAndInOrder(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed).run() })
		})
	}
}

const worldTopics = 6

type world struct {
	t     *testing.T
	rng   *rand.Rand // guarded by mu
	mu    sync.Mutex
	calm  bool // the log does no mischief any more
	store *memStore
	pods  []*pod

	// What was seen of each kind, so that the test cannot pass idly.
	resumed, fresh, messages int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1))}
	w.store = newMemStore(1 + int(seed%4))
	w.store.trouble = w.trouble
	return w
}

func (w *world) intN(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

// trouble makes one call in three slow, and one in ten fail.
func (w *world) trouble(ctx context.Context, call string) error {
	w.mu.Lock()
	calm := w.calm
	w.mu.Unlock()
	if calm {
		return nil
	}
	if w.intN(3) == 0 {
		if !clock.Pause(ctx, time.Duration(w.intN(150))*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	switch n := w.intN(20); {
	case n == 0:
		return errTrouble
	case n == 1 && call == "append":
		return errLost
	}
	return nil
}

func (w *world) run() {
	for _, name := range []string{"chat-a", "chat-b"} {
		p := start(w.t, w.store, Config{Name: name, Pace: 5 * time.Millisecond})
		defer p.close()
		w.pods = append(w.pods, p)
	}
	stop := make(chan struct{})
	var posters, readers sync.WaitGroup
	for i := range 3 {
		posters.Go(func() { w.post(i, stop) })
	}
	for range 6 {
		readers.Go(func() { w.read(stop) })
	}
	time.Sleep(20 * time.Second)
	close(stop)
	posters.Wait()
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	readers.Wait()
	w.t.Logf("%d connections resumed, %d began afresh, %d deliveries checked", w.resumed, w.fresh, w.messages)
	if w.resumed < 20 || w.fresh < 20 || w.messages < 1000 {
		w.t.Error("too little happened")
	}
}

// post posts now and then, several at once too, until stop is closed; every
// post is tried until it is acknowledged.
func (w *world) post(who int, stop chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(w.intN(400)) * time.Millisecond):
		}
		for i := range 1 + w.intN(8) {
			d := chat.Draft{
				Key: fmt.Sprintf("p%d-%d-%d", who, n, i), Topic: fmt.Sprint("topic-", w.intN(worldTopics)),
				Name: "Ann", Email: "ann@example.org", Content: "x",
			}
			for {
				_, _, err := w.pods[w.intN(2)].service.Post(context.Background(), chat.Guest, d)
				if err == nil {
					break
				}
				if chat.AsError(err).Code != chat.CodeUnavailable {
					w.t.Errorf("post: %v", err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}

// read connects, stays a while, checks what it got, and connects again, most
// often with its cursor. Its last connection stays until the world is calm,
// and must then have everything.
func (w *world) read(stop chan struct{}) {
	cursor := ""
	for last := false; !last; {
		topics := w.topics()
		if w.intN(5) == 0 {
			cursor = ""
		}
		c := w.pods[w.intN(2)].join(hello(topics, cursor, w.intN(30)))
		asked, subscribed := cursor, w.intN(3) == 0
		if subscribed {
			time.Sleep(time.Duration(w.intN(2000)) * time.Millisecond)
			topics = w.topics()
			_ = c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"subscribe","topics":%s}`, list(topics))) // or it was closed
		}
		select {
		case <-stop:
			last = true
			time.Sleep(20 * time.Second) // the log is calm again within that
		case <-c.done: // the server gave up on the log
		case <-time.After(time.Duration(w.intN(2500)) * time.Millisecond):
		}
		c.leave()
		if next := w.check(c, topics, asked, subscribed, last); next != "" {
			cursor = next
		}
	}
}

func (w *world) topics() chat.TopicSet {
	if w.intN(3) == 0 {
		return chat.AllTopics
	}
	set := chat.TopicSet{}
	for i := range worldTopics {
		if w.intN(2) == 0 {
			set.Names = append(set.Names, fmt.Sprint("topic-", i))
		}
	}
	return set
}

func list(topics chat.TopicSet) string {
	if !topics.All && len(topics.Names) == 0 {
		return "[]"
	}
	return names(topics)
}

// check goes through what a connection got since its last welcome, and gives
// the cursor that covers it. topics are those it asked for last, asked is the
// cursor in its hello.
func (w *world) check(c *client, topics chat.TopicSet, asked string, subscribed, complete bool) string {
	events := c.got("welcome", "messages", "presence", "close")
	begin := -1
	welcomes := 0
	for i, e := range events {
		if e.kind == "welcome" {
			begin, welcomes = i, welcomes+1
		}
	}
	if begin < 0 || subscribed && welcomes < 2 { // left before the last answer
		if complete && events[len(events)-1].kind != "close" {
			w.t.Errorf("no answer to the last question: %+v", events)
		}
		return c.cursor()
	}
	welcome := events[begin].frame
	var (
		got    = map[string][]string{}
		start  = map[string]int{} // index in the log's messages of the topic
		truth  = w.truth()
		cursor = welcome.Cursor
	)
	for _, e := range events[begin:] {
		for _, m := range e.frame.Messages {
			if !topics.Has(m.Topic) {
				w.t.Errorf("got a message of %s; asked for %s", m.Topic, list(topics))
			}
			got[m.Topic] = append(got[m.Topic], m.ID)
		}
		if e.frame.Cursor != "" {
			cursor = e.frame.Cursor
		}
	}
	w.mu.Lock()
	if welcome.Recovered {
		w.resumed++
	} else {
		w.fresh++
	}
	for _, ids := range got {
		w.messages += len(ids)
	}
	w.mu.Unlock()
	for topic, all := range truth {
		if !topics.Has(topic) {
			continue
		}
		switch ids := got[topic]; {
		case welcome.Recovered:
			from, err := chat.ParseCursor(asked)
			if err != nil {
				w.t.Errorf("recovered from %q: %v", asked, err)
				return ""
			}
			start[topic] = slices.IndexFunc(all, func(m chat.Message) bool { return m.ID.Pos.Compare(from.Pos[m.ID.Part]) > 0 })
			if start[topic] < 0 {
				start[topic] = len(all)
			}
		case !welcome.More:
			start[topic] = 0
		case len(ids) > 0:
			start[topic] = slices.IndexFunc(all, func(m chat.Message) bool { return m.ID.String() == ids[0] })
		default:
			start[topic] = len(all)
		}
		w.compare(topic, all[max(0, start[topic]):], got[topic], complete && events[len(events)-1].kind != "close")
		// The cursor covers all that was sent, and nothing that was not.
		at, err := chat.ParseCursor(cursor)
		if err != nil {
			w.t.Errorf("cursor %q: %v", cursor, err)
			return ""
		}
		for i, m := range all[max(0, start[topic]):] {
			if covered := m.ID.Pos.Compare(at.Pos[m.ID.Part]) <= 0; covered != (i < len(got[topic])) {
				w.t.Errorf("message %d of %s: sent %v, but covered by the cursor %v", i, topic, i < len(got[topic]), covered)
				break
			}
		}
	}
	return cursor
}

func (w *world) compare(topic string, want []chat.Message, got []string, complete bool) {
	if len(got) > len(want) || complete && len(got) < len(want) {
		w.t.Errorf("%s: got %d messages; want %d", topic, len(got), len(want))
		return
	}
	for i, id := range got {
		if want[i].ID.String() != id {
			w.t.Errorf("%s: message %d is %s; want %s", topic, i, id, want[i].ID)
			return
		}
	}
}

// truth is the log's messages by topic, in order.
func (w *world) truth() map[string][]chat.Message {
	by := map[string][]chat.Message{}
	for part := range w.store.Partitions() {
		for _, m := range w.store.all(part) {
			by[m.Topic] = append(by[m.Topic], m)
		}
	}
	return by
}
