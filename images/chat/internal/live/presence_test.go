package live

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/chat"
)

// gaps checks that a client was told the number online at most once a second,
// and never the same twice in a row.
func gaps(t *testing.T, c *client) {
	t.Helper()
	told := c.got("presence")
	for i := 1; i < len(told); i++ {
		if gap := told[i].at - told[i-1].at; gap < time.Second {
			t.Errorf("told %d, then %d after %v; want %v or more", told[i-1].frame.Online, told[i].frame.Online, gap, time.Second)
		}
		if told[i].frame.Online == told[i-1].frame.Online {
			t.Errorf("told %d twice", told[i].frame.Online)
		}
	}
}

func lastOnline(c *client) int {
	told := c.got("presence")
	if len(told) == 0 {
		return -1
	}
	return told[len(told)-1].frame.Online
}

func TestPresenceOfOnePod(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, _ *memStore) {
		first := p.join(`{"type":"hello"}`)
		silent := p.connect() // never says hello: is not there
		synctest.Wait()
		if n := lastOnline(first); n != 1 {
			t.Errorf("the first is told %d online; want 1", n)
		}
		if e := first.got(); len(e) != 2 || e[0].kind != "welcome" || e[1].kind != "presence" || e[1].at != 0 {
			t.Errorf("events %+v; want welcome, then presence at once", e)
		}
		everybody := []*client{first}
		for range 30 { // a rush: one every 100 ms
			time.Sleep(100 * time.Millisecond)
			everybody = append(everybody, p.join(`{"type":"hello"}`))
		}
		time.Sleep(2 * time.Second)
		for i, c := range everybody {
			if n := lastOnline(c); n != 31 {
				t.Errorf("client %d is told %d online; want 31", i, n)
			}
			gaps(t, c)
		}
		if n := len(first.got("presence")); n > 7 {
			t.Errorf("%d presence frames in a rush of 3 s; want about one a second", n)
		}
		for _, c := range everybody[1:] {
			time.Sleep(70 * time.Millisecond)
			c.leave()
		}
		time.Sleep(2 * time.Second)
		if n := lastOnline(first); n != 1 {
			t.Errorf("told %d online after all others left; want 1", n)
		}
		gaps(t, first)
		told := len(first.got("presence"))
		time.Sleep(50 * time.Second)
		if n := len(first.got("presence")); n != told {
			t.Errorf("%d presence frames while nothing changed", n-told)
		}
		silent.Close()
		first.leave()
	})
}

func TestPresenceOverPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore(2)
		a, b := start(t, store, Config{Name: "chat-a"}), start(t, store, Config{Name: "chat-b"})
		defer a.close()
		one := a.join(`{"type":"hello"}`)
		two := b.join(`{"type":"hello"}`)
		three := b.join(`{"type":"hello"}`)
		time.Sleep(4 * time.Second)
		for _, c := range []*client{one, two, three} {
			if n := lastOnline(c); n != 3 {
				t.Errorf("told %d online; want 3 over both pods", n)
			}
			gaps(t, c)
		}
		two.leave()
		time.Sleep(4 * time.Second)
		if n := lastOnline(one); n != 2 {
			t.Errorf("told %d online after one left the other pod; want 2", n)
		}
		b.close() // leaves in good order
		time.Sleep(3 * time.Second)
		if n := lastOnline(one); n != 1 {
			t.Errorf("told %d online after the other pod left; want 1", n)
		}
		<-three.done
		one.leave()
	})
}

func TestPresenceOfADeadPodVanishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore(1)
		a := start(t, store, Config{Name: "chat-a"})
		defer a.close()
		if _, err := store.Tell(context.Background(), "dead", chat.Here{People: 41}); err != nil {
			t.Fatal(err)
		}
		c := a.join(`{"type":"hello"}`)
		time.Sleep(3 * time.Second)
		if n := lastOnline(c); n != 42 {
			t.Errorf("told %d online; want 42", n)
		}
		time.Sleep(12 * time.Second)
		if n := lastOnline(c); n != 1 {
			t.Errorf("told %d online 15 s after the other pod's last sign; want 1", n)
		}
		c.leave()
	})
}

func TestCursorOfASilentTopic(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		c := p.join(`{"type":"hello","topics":["quiet"]}`)
		synctest.Wait()
		before := c.cursor()
		for i := range 20 {
			store.post(string(rune('a'+i)), "tea", "x")
		}
		time.Sleep(cursorPeriod + time.Second)
		if c.cursor() == before {
			t.Fatal("a session of a silent topic is given no new cursor")
		}
		store.cut(0, 1)
		c.leave()
		again := p.join(`{"type":"hello","topics":["quiet"],"cursor":"` + c.cursor() + `"}`)
		synctest.Wait()
		if w := again.got("welcome"); len(w) != 1 || !w[0].frame.Recovered {
			t.Errorf("welcome %+v; want recovered", w)
		}
		again.leave()
	})
}
