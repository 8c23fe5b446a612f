package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

func testPartitions(t *testing.T, f Factory) {
	for _, n := range []int{1, 5} {
		h := open(t, f(t, Options{Partitions: n}))
		if h.Partitions() == 1 {
			n = 1 // a store that is never split
		}
		if h.Partitions() != n {
			t.Errorf("%d partitions, want %d", h.Partitions(), n)
		}
		g := newGen(1, "p")
		for part := range n {
			h.append(part, g.draft(topicsOf(part, n, 1)[0]))
		}
		for part := range n {
			if got := h.all(part, chat.Pos{}, 10); len(got) != 1 || int(got[0].ID.Part) != part {
				t.Errorf("partition %d of %d holds %v", part, n, got)
			}
		}
	}
}

func testA1(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	h := open(t, l)
	g := newGen(1, "a1")
	var want []chat.Message
	for _, n := range []int{1, 2, chat.MaxBatch, 1, 31} {
		drafts := g.drafts("general", n)
		// The bounds of every field, and bytes that a text format might trip over.
		drafts[0].Content = "\x00\r\n\"\\{}\u2028'" + drafts[0].Content
		got := h.append(0, drafts...)
		for i, a := range got {
			if a.Duplicate {
				t.Errorf("draft %d of %d is called a duplicate", i, n)
			}
		}
		want = append(want, messages(drafts, got)...)
	}
	long := chat.Draft{Key: g.draft("").Key, Topic: "general", Name: "n", Email: "e@example.org"}
	for range chat.MaxContent {
		long.Content += "\U0001F600"
	}
	want = append(want, messages([]chat.Draft{long}, h.append(0, long))...)
	equal(t, "A1: read back", h.all(0, chat.Pos{}, 100), want)

	h.Close()
	equal(t, "A1: after closing and opening", open(t, l).all(0, chat.Pos{}, 100), want)

	if l.Crash == nil {
		return
	}
	if l = f(t, Options{Partitions: 1, Alone: true}); !l.Shared {
		h = open(t, l)
		drafts := g.drafts("general", 40)
		want = messages(drafts, h.append(0, drafts...))
		h.Close()
		l.Crash(t)
		equal(t, "A1: after a crash", open(t, l).all(0, chat.Pos{}, 100), want)
		return
	}
	// Crash under appends: whatever was acknowledged is there, and once.
	h = open(t, l)
	acked := make(chan chat.Message, 100_000)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			drafts := g.drafts("general", 1+g.IntN(20))
			got := appendUntilDone(h, 0, drafts)
			for i := range drafts {
				acked <- chat.Message{ID: got[i].ID, Draft: drafts[i]}
			}
		}
	})
	eventually(t, "appends before the crash", func() bool { return len(acked) > 200 })
	l.Crash(t)
	n := len(acked)
	eventually(t, "appends after the crash", func() bool { return len(acked) > n+100 })
	close(stop)
	wg.Wait()
	close(acked)
	want = nil
	for m := range acked {
		want = append(want, m)
	}
	equal(t, "A1: after a crash under appends", h.all(0, chat.Pos{}, 100), want)
}

func testA2(t *testing.T, f Factory) {
	hs := openAll(t, f(t, Options{Partitions: 1}), 2)
	g := newGen(2, "a2")
	var last chat.Pos
	for i := range 100 {
		for _, a := range hs[i%2].append(0, g.drafts("general", 1+g.IntN(8))...) {
			if a.ID.Pos.Compare(last) <= 0 {
				t.Fatalf("A2: %v came after %v", a.ID.Pos, last)
			}
			last = a.ID.Pos
		}
	}
}

func testA3(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	h := open(t, l)
	g := newGen(3, "a3")
	a, b, c := g.draft("general"), g.draft("other"), g.draft("general")

	first := h.append(0, a)[0]
	again := a
	again.Content, again.Name, again.Email = "not the same text", "other", strings.ToUpper(a.Email)
	if got := h.append(0, again)[0]; !got.Duplicate || got.ID != first.ID {
		t.Errorf("A3: the key again gives %+v, want duplicate of %v", got, first.ID)
	}
	// New and known in one batch, and twice in one batch.
	got := h.append(0, b, a, c, b, again)
	if got[0].Duplicate || !got[1].Duplicate || got[2].Duplicate || !got[3].Duplicate || !got[4].Duplicate {
		t.Errorf("A3: mixed batch gives %+v", got)
	}
	if got[1].ID != first.ID || got[4].ID != first.ID || got[3].ID != got[0].ID {
		t.Errorf("A3: mixed batch gives %+v; the first is %v", got, first.ID)
	}
	want := []chat.Message{{ID: first.ID, Draft: a}, {ID: got[0].ID, Draft: b}, {ID: got[2].ID, Draft: c}}
	equal(t, "A3: the log", h.all(0, chat.Pos{}, 10), want)

	// A batch of nothing new.
	if got := h.append(0, c, b, a); got[0].ID != want[2].ID || got[1].ID != want[1].ID || got[2].ID != want[0].ID {
		t.Errorf("A3: known batch gives %+v", got)
	}
	h.Close()
	h = open(t, l)
	if got := h.append(0, a, c); !got[0].Duplicate || got[0].ID != first.ID || !got[1].Duplicate || got[1].ID != want[2].ID {
		t.Errorf("A3: after closing and opening: %+v", got)
	}
	equal(t, "A3: the log", h.all(0, chat.Pos{}, 10), want)
	if n := h.topics(0)["other"].Messages; n != 1 {
		t.Errorf("A3: duplicates count: topic has %d messages, want 1", n)
	}
}

// testA3Others gives one key to several addresses and topics: in one batch,
// and in batches of their own.
func testA3Others(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	g := newGen(33, "a3o")
	ann := g.draft("general")
	elsewhere, bob := ann, ann
	elsewhere.Topic = "other"
	bob.Email = "bob@example.org"
	first := h.append(0, ann)
	rest := h.append(0, elsewhere, bob, ann)
	if rest[0].Duplicate || rest[1].Duplicate || !rest[2].Duplicate || rest[2].ID != first[0].ID || rest[0].ID == rest[1].ID {
		t.Fatalf("A3: one key, another topic, another address, and the first again: %+v; the first is %+v", rest, first)
	}
	want := []chat.Message{{ID: first[0].ID, Draft: ann}, {ID: rest[0].ID, Draft: elsewhere}, {ID: rest[1].ID, Draft: bob}}
	if again := h.append(0, bob, ann, elsewhere); again[0].ID != want[2].ID || again[1].ID != want[0].ID || again[2].ID != want[1].ID {
		t.Errorf("A3: all again: %+v", again)
	}
	equal(t, "A3: the log", h.all(0, chat.Pos{}, 10), want)
}

func testA3Race(t *testing.T, f Factory) {
	hs := openAll(t, f(t, Options{Partitions: 1}), 3)
	const rounds, keys = 20, 30
	ids := make([][rounds][keys]chat.Appended, len(hs))
	var wg sync.WaitGroup
	for i, h := range hs {
		wg.Go(func() {
			shuffle := newGen(uint64(i), "shuffle")
			for r := range rounds {
				g := newGen(uint64(r), fmt.Sprint("round", r))
				drafts := g.drafts("general", keys)
				order := shuffle.Perm(keys)
				for n := 0; n < keys; {
					size := min(1+shuffle.IntN(10), keys-n)
					batch := make([]chat.Draft, size)
					for j := range batch {
						batch[j] = drafts[order[n+j]]
					}
					for j, a := range h.append(0, batch...) {
						ids[i][r][order[n+j]] = a
					}
					n += size
				}
			}
		})
	}
	wg.Wait()
	for r := range rounds {
		for k := range keys {
			fresh := 0
			for i := range hs {
				if ids[i][r][k].ID != ids[0][r][k].ID {
					t.Fatalf("A3: one key has two ids: %v, %v", ids[i][r][k].ID, ids[0][r][k].ID)
				}
				if !ids[i][r][k].Duplicate {
					fresh++
				}
			}
			if fresh != 1 {
				t.Fatalf("A3: %d of %d racing appends of a key were the first", fresh, len(hs))
			}
		}
	}
	if n := len(hs[0].all(0, chat.Pos{}, 100)); n != rounds*keys {
		t.Errorf("A3: %d messages in the log, want %d", n, rounds*keys)
	}
}

func testA4(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 2)
	g := newGen(4, "a4")
	for i := range 30 {
		hs[i%2].append(0, g.drafts("general", 1+g.IntN(5))...)
	}
	if !l.Shared {
		hs[0].Close()
		hs[0] = open(t, l)
	}
	hs[0].append(0, g.draft("general"))
	var last time.Time
	for _, m := range hs[0].all(0, chat.Pos{}, 100) {
		if m.Time().Before(last) {
			t.Fatalf("A4: %v came after %v", m.Time(), last)
		}
		last = m.Time()
	}
	if last.Before(time.UnixMilli(0).AddDate(30, 0, 0)) {
		t.Errorf("A4: %v is not a time of this age", last)
	}
}

// testA5 gives appends too little time, so that some fail before and some
// after the log has taken them, and repeats them until they succeed.
func testA5(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	g := newGen(5, "a5")
	want, failed := 0, 0
	for range 60 {
		drafts := g.drafts("general", 1+g.IntN(5))
		want += len(drafts)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(g.IntN(1500))*time.Microsecond)
		if _, err := h.tryAppend(ctx, 0, drafts); err != nil {
			failed++
		}
		cancel()
		h.append(0, drafts...)
	}
	t.Logf("%d of 60 appends failed at first", failed)
	seen := make(map[string]bool)
	for _, m := range h.all(0, chat.Pos{}, 100) {
		if seen[m.Key] {
			t.Errorf("A5: key %s is in the log twice", m.Key)
		}
		seen[m.Key] = true
	}
	if len(seen) != want {
		t.Errorf("A5: %d messages in the log, want %d", len(seen), want)
	}
}

func testA6(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1, Alone: true})
	if l.Away == nil {
		t.Log("left out: this log cannot be taken away by itself")
		return
	}
	h := open(t, l)
	g := newGen(6, "a6")
	before, _ := appendSome(h, g, 3)
	back := l.Away(t)
	lost := g.drafts("general", 2)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	done := make(chan error, 1)
	go func() { _, err := h.tryAppend(ctx, 0, lost); done <- err }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("A6: an append to a log that is away succeeded")
		}
	case <-time.After(patience):
		t.Error("A6: the append did not end")
	}
	cancel()
	back()
	appendUntilDone(h, 0, lost)
	var got []chat.Draft
	for _, m := range h.all(0, chat.Pos{}, 10) {
		got = append(got, m.Draft)
	}
	if !slices.Equal(got, append(before, lost...)) {
		t.Errorf("A6: the log holds %+v", got)
	}
}
