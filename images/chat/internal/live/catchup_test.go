package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// TestSlowCatchUp has a client take a page every 5 s, for longer than idleWait:
// it is slow, not gone. It gets everything, in pages of bounded size, then what
// comes live, and stays.
func TestSlowCatchUp(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		const messages = 1200
		body := strings.Repeat("x", 1000)
		for i := range messages {
			store.post(fmt.Sprint("k", i), "tea", fmt.Sprint(i, " ", body))
		}
		time.Sleep(time.Second)
		c := p.connect()                                    // a pipe has no buffer: nothing is taken that is not read
		c.SetPingHandler(func(string) error { return nil }) // nor a pong, meanwhile
		began := time.Now()
		c.say(hello(chat.AllTopics, chat.Cursor{Epoch: p.snapshot().Epoch, Pos: make([]chat.Pos, 1)}.String(), 0))
		for len(c.got("presence")) == 0 { // which comes after the last page
			if !c.hear() {
				t.Fatalf("after %v and %d messages: %+v", time.Since(began), c.count(), c.got("close"))
			}
			time.Sleep(5 * time.Second)
		}
		if took := time.Since(began); took < 90*time.Second {
			t.Fatalf("caught up in %v: too fast to show anything", took)
		}
		if n := c.count(); n != messages {
			t.Errorf("%d messages; want %d", n, messages)
		}
		for _, e := range c.got("welcome", "messages") {
			if n := len(e.frame.Messages); n > 2*pageBytes/1000 {
				t.Errorf("a page of %d messages of 1,000 characters", n)
			}
		}
		c.listen(true)
		store.post("new", "tea", "new")
		time.Sleep(10 * time.Minute)
		if list := c.list(); list[len(list)-1] != "new" || len(list) != messages+1 || c.got("close") != nil {
			t.Errorf("after catching up: %d messages, close %+v", len(list), c.got("close"))
		}
		c.leave()
	})
}

// TestWelcomeIsOnePage: however long the latest messages are, welcome stays
// below the size of a page, and says that there are more.
func TestWelcomeIsOnePage(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		for i := range 100 {
			store.post(fmt.Sprint("k", i), "tea", fmt.Sprint(i, " ", strings.Repeat("\u4e2d", 3900)))
		}
		time.Sleep(time.Second)
		c := p.join(`{"type":"hello","limit":100}`)
		time.Sleep(time.Second)
		w := c.got("welcome")[0].frame
		if n := len(w.Messages); n != 6 || !w.More || !strings.HasPrefix(w.Messages[5].Content, "99 ") {
			t.Errorf("welcome with %d messages of 12 kB, more %v; want the last 6, more", n, w.More)
		}
		c.leave()
	})
}
