package storetest

import (
	"testing"

	"chatapp/chat/internal/chat"
)

func testP1(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 2)
	say := func(h *handle, server string, people int) int {
		t.Helper()
		return h.tell(server, chat.Here{People: people, Open: true}).People
	}
	if got := say(hs[0], "a", 5); got != 5 {
		t.Errorf("P1: one server of 5 makes %d", got)
	}
	if got := say(hs[1], "b", 3); got != 8 {
		t.Errorf("P1: servers of 5 and 3 make %d", got)
	}
	if got := say(hs[0], "a", 6); got != 9 {
		t.Errorf("P1: servers of 6 and 3 make %d", got)
	}
	pass(l, chat.PresenceMemory/2)
	if l.Advance == nil { // b goes on, a is silent
		say(hs[1], "b", 3)
	} else if got := say(hs[1], "b", 3); got != 9 { // the log's clock is in our hand: exact
		t.Errorf("P1: a server silent for half of the memory no longer counts: %d", got)
	}
	pass(l, chat.PresenceMemory/2)
	eventually(t, "P1: the silent server does not count", func() bool {
		return hs[1].tell("b", chat.Here{People: 3, Open: true}) == chat.Crowd{People: 3, Servers: 1}
	})
}

func testP2(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	for _, c := range []struct {
		server string
		people int
		want   int
	}{{"a", 5, 5}, {"b", 2, 7}, {"a", 0, 2}, {"never seen", 0, 2}, {"b", 0, 0}, {"a", 1, 1}} {
		if got := h.tell(c.server, chat.Here{People: c.people}); got != (chat.Crowd{People: c.want}) {
			t.Errorf("P2: after %s said %d: %+v; want %d", c.server, c.people, got, c.want)
		}
	}
}

func testP3(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	for _, c := range []struct {
		server string
		here   chat.Here
		want   chat.Crowd
	}{
		{"a", chat.Here{People: 5, Open: true}, chat.Crowd{People: 5, Servers: 1}},
		{"b", chat.Here{Open: true}, chat.Crowd{People: 5, Servers: 2}}, // nobody yet
		{"b", chat.Here{People: 2, Open: true}, chat.Crowd{People: 7, Servers: 2}},
		{"a", chat.Here{People: 5}, chat.Crowd{People: 7, Servers: 1}}, // leaves, its people are there still
		{"a", chat.Here{}, chat.Crowd{People: 2, Servers: 1}},
		{"b", chat.Here{}, chat.Crowd{}},
	} {
		if got := h.tell(c.server, c.here); got != c.want {
			t.Errorf("P3: after %s said %+v: %+v; want %+v", c.server, c.here, got, c.want)
		}
	}
}

// testP4 moves accounts about and lets a server die.
func testP4(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	h := open(t, l)
	for i, c := range []struct {
		server     string
		guests     int
		from, to   uint64
		came, went []string
		want       chat.Crowd
	}{
		{"a", 1, 0, 1, []string{"ann", "bob"}, nil, chat.Crowd{People: 3, Guests: 1, Users: 2, Servers: 1}},
		{"b", 2, 0, 1, []string{"ann"}, nil, chat.Crowd{People: 6, Guests: 3, Users: 2, Servers: 2}},
		{"b", 2, 1, 2, []string{"cid"}, []string{"ann"}, chat.Crowd{People: 6, Guests: 3, Users: 3, Servers: 2}},
		{"a", 1, 1, 1, nil, nil, chat.Crowd{People: 6, Guests: 3, Users: 3, Servers: 2}},
		{"a", 1, 1, 2, nil, []string{"ann"}, chat.Crowd{People: 5, Guests: 3, Users: 2, Servers: 2}},
		{"b", 2, 0, 3, []string{"bob"}, nil, chat.Crowd{People: 5, Guests: 3, Users: 1, Servers: 2}},
	} {
		here := map[string]int{"a": 2, "b": 1}
		if i >= 4 {
			here["a"] = 1
		}
		got := h.tell(c.server, chat.Here{
			People: here[c.server] + c.guests, Guests: c.guests, Open: true,
			Accounts: &chat.Delta{From: c.from, To: c.to, Came: c.came, Went: c.went},
		})
		if got != c.want {
			t.Errorf("P4: %d: %+v, want %+v", i, got, c.want)
		}
	}
	pass(l, chat.PresenceMemory)
	eventually(t, "P4: the accounts of a silent server do not count", func() bool {
		got := h.tell("c", chat.Here{People: 1, Open: true, Accounts: &chat.Delta{To: 1, Came: []string{"dan"}}})
		return got == chat.Crowd{People: 1, Users: 1, Servers: 1}
	})
}

func testP5(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	tell := func(from, to uint64, came ...string) chat.Crowd {
		return h.tell("a", chat.Here{People: 2, Open: true, Accounts: &chat.Delta{From: from, To: to, Came: came}})
	}
	if got := tell(7, 8, "ann"); !got.Stale || got.Users != 0 {
		t.Errorf("P5: nothing was told before: %+v", got)
	}
	if got := tell(0, 9, "ann"); got.Stale || got.Users != 1 {
		t.Errorf("P5: all is told: %+v", got)
	}
	if got := tell(8, 10, "bob"); !got.Stale || got.Users != 1 {
		t.Errorf("P5: something was lost: %+v", got)
	}
	if got := tell(9, 9); got.Stale || got.Users != 1 {
		t.Errorf("P5: nothing new: %+v", got)
	}
}
