package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

func testS1(t *testing.T, f Factory) {
	hs := openAll(t, f(t, Options{Partitions: 2}), 2)
	g := newGen(21, "s1")
	partitions := hs[0].Partitions()
	other := partitions - 1
	if s := hs[0].state(other); !s.Head.IsZero() || !s.Floor.IsZero() {
		t.Errorf("S1: an empty partition is %+v", s)
	}
	for i := range 40 {
		got := hs[i%2].append(0, g.drafts(topicsOf(0, partitions, 1)[0], 1+g.IntN(5))...)
		last := got[len(got)-1].ID.Pos
		for _, h := range hs {
			if s := h.state(0); s.Head.Compare(last) < 0 {
				t.Fatalf("S1: head %v is before %v, whose append has returned", s.Head, last)
			}
		}
	}
	if s := hs[0].state(other); other > 0 && !s.Head.IsZero() {
		t.Errorf("S1: the head of the other partition is %v", s.Head)
	}
}

// testS2 appends to a log that forgets quickly, and looks at it all the time.
func testS2(t *testing.T, f Factory) {
	hs := openAll(t, f(t, Options{Partitions: 1, Retention: chat.Retention{Messages: 160}}), 2)
	var mu sync.Mutex
	var log []chat.Message
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done.Store(true)
		g := newGen(22, "s2")
		for range 150 {
			mu.Lock() // so that log is never behind the store
			drafts := g.drafts("general", 1+g.IntN(20))
			log = append(log, messages(drafts, hs[0].append(0, drafts...))...)
			mu.Unlock()
		}
	})
	var floor chat.Pos
	for !done.Load() && !t.Failed() {
		mu.Lock()
		s := hs[1].state(0)
		got := hs[1].all(0, s.Floor, 100)
		later := hs[1].state(0)
		// Retention may have gone on while we read.
		want := after(log, later.Floor)
		mu.Unlock()
		equal(t, "S2: after the floor", after(got, later.Floor), want)
		if s.Floor.Compare(floor) < 0 || later.Floor.Compare(s.Floor) < 0 {
			t.Errorf("S2: the floor went back: %v, %v, %v", floor, s.Floor, later.Floor)
		}
		floor = later.Floor
	}
	wg.Wait()
	eventually(t, "S2: the floor rises", func() bool { return !hs[1].state(0).Floor.IsZero() })
}

// testR7 reads on, at a log that forgets quickly, from places that retention
// has passed, and from places that it has not.
func testR7(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1, Retention: chat.Retention{Messages: 160}}))
	g := newGen(27, "r7")
	var ends []chat.Pos // of the appends
	for range 100 {
		got := h.append(0, g.drafts("general", 1+g.IntN(20))...)
		ends = append(ends, got[len(got)-1].ID.Pos)
	}
	atRest(h)
	floor := h.state(0).Floor
	gaps := 0
	for i, after := range ends {
		for _, wait := range []time.Duration{0, time.Second} {
			if i == len(ends)-1 {
				wait = 0 // there is nothing to wait for
			}
			batch, err := h.Read(h.ctx(), 0, after, 50, wait)
			if err != nil {
				t.Fatalf("R7: %v", err)
			}
			passed := after.Compare(chat.Pos{Ms: floor.Ms, Seq: floor.Seq}) < 0 // an earlier append's
			if batch.Gap != passed {
				t.Errorf("R7: after append %d, at %v: gap %v; the floor is %v", i, after, batch.Gap, floor)
			}
			if batch.Gap {
				gaps++
			}
		}
	}
	if gaps == 0 || gaps == 2*len(ends) {
		t.Errorf("R7: %d of %d reads have a gap: this shows nothing", gaps, 2*len(ends))
	}
}

func testS3(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 2})
	h := open(t, l)
	g := newGen(23, "s3")
	topic := topicsOf(0, h.Partitions(), 1)[0]
	epoch := h.state(0).Epoch
	h.append(0, g.draft(topic))
	h.append(0, g.draft(topic))
	if got := h.state(0).Epoch; got != epoch {
		t.Error("S3: the epoch changed by appending")
	}
	h.Close()
	h = open(t, l)
	if got := h.state(0).Epoch; got != epoch {
		t.Error("S3: the epoch changed by closing and opening")
	}
	if got := open(t, f(t, Options{Partitions: 2})).state(0).Epoch; got == epoch {
		t.Error("S3: two logs have one epoch")
	}
	if l.Empty == nil {
		return
	}
	last := h.append(0, g.draft(topic))[0].ID.Pos
	l.Empty(t)
	if got := h.state(0); got.Epoch == epoch || !got.Head.IsZero() {
		t.Errorf("S3: an emptied log is %+v; the epoch was %d", got, epoch)
	}
	epoch = h.state(0).Epoch
	if got := h.append(0, g.draft(topic)); got[0].ID.Pos.Compare(last) <= 0 {
		t.Errorf("S3: %v was given out after %v", got[0].ID.Pos, last)
	}
	if h.state(0).Epoch != epoch {
		t.Error("S3: the epoch changed twice")
	}
	// Emptied, and the append is the first to see it.
	l.Empty(t)
	h.append(0, g.draft(topic))
	if h.state(0).Epoch == epoch {
		t.Error("S3: the epoch did not change when an append found the log empty")
	}
}

// retained is how many messages and bytes of them the log holds now.
func retained(h *handle) (n, bytes int64) {
	for _, m := range h.all(0, chat.Pos{}, 500) {
		n, bytes = n+1, bytes+int64(m.Draft.Size())
	}
	return n, bytes
}

func testRetentionMessages(t *testing.T, f Factory) {
	r := chat.Retention{Messages: 320}
	h := open(t, f(t, Options{Partitions: 1, Retention: r}))
	g := newGen(24, "rm")
	const batch = 30
	want := fill([]*handle{h}, g, 0, []string{"general"}, 310, batch)
	equal(t, "retention: nothing is removed below the limit", h.all(0, chat.Pos{}, 100), want)
	want = append(want, fill([]*handle{h}, g, 0, []string{"general", "x"}, 3000, batch)...)
	most := r.Messages + r.Step(1) + batch
	eventually(t, "retention: the oldest are removed", func() bool { n, _ := retained(h); return n <= most })
	got := h.all(0, chat.Pos{}, 100)
	if int64(len(got)) < r.Messages {
		t.Errorf("retention: %d messages are left, want at least %d", len(got), r.Messages)
	}
	equal(t, "retention: the newest are kept", got, want[len(want)-len(got):])
	got = atRest(h)
	if s := h.state(0); s.Floor.Compare(got[0].ID.Pos) >= 0 || s.Floor.Compare(want[len(want)-len(got)-1].ID.Pos) < 0 {
		t.Errorf("retention: the floor %v is not between %v, removed, and %v, kept",
			s.Floor, want[len(want)-len(got)-1].ID.Pos, got[0].ID.Pos)
	}
}

func testRetentionBytes(t *testing.T, f Factory) {
	r := chat.Retention{Bytes: 1 << 20}
	h := open(t, f(t, Options{Partitions: 1, Retention: r}))
	g := newGen(25, "rb")
	var want []chat.Message
	var total int64
	for range 900 { // about 10 MB
		drafts := g.drafts("general", 4)
		for i := range drafts {
			drafts[i].Content = string(make([]byte, 3000))
			total += int64(drafts[i].Size())
		}
		want = append(want, messages(drafts, h.append(0, drafts...))...)
	}
	// At most RetentionStep messages outlive the limit.
	most := r.Bytes + (chat.RetentionStep+4)*3100
	eventually(t, "retention: the oldest are removed", func() bool { _, b := retained(h); return b <= most })
	got := h.all(0, chat.Pos{}, 100)
	if _, b := retained(h); b < r.Bytes {
		t.Errorf("retention: %d bytes are left, want at least %d", b, r.Bytes)
	}
	equal(t, "retention: the newest are kept", got, want[len(want)-len(got):])
}

// testRetentionAge appends to some age, and then looks on: nobody posts.
func testRetentionAge(t *testing.T, f Factory) {
	r := chat.Retention{Messages: 160, Age: 2 * time.Second}
	l := f(t, Options{Partitions: 1, Retention: r})
	h := open(t, l)
	g := newGen(26, "ra")
	want := fill([]*handle{h}, g, 0, []string{"general"}, 120, 5)
	pass(l, r.Age)
	most := r.Step(1) + 5
	eventually(t, "retention: the old are removed while nobody posts", func() bool { n, _ := retained(h); return n <= most })
	got := h.all(0, chat.Pos{}, 100)
	equal(t, "retention: the newest are kept", got, want[len(want)-len(got):])
	s := h.state(0)
	if s.Floor.IsZero() {
		t.Error("retention: the floor is zero")
	}
	if s.Head.Compare(want[len(want)-1].ID.Pos) < 0 {
		t.Errorf("retention: the head went back to %v", s.Head)
	}
}

func testB3(t *testing.T, f Factory) {
	r := chat.Retention{Messages: 160}
	h := open(t, f(t, Options{Partitions: 1, Retention: r}))
	g := newGen(27, "b3")
	topics := topicsOf(0, 1, 5)
	want := fill([]*handle{h}, g, 0, topics, 1500, 8)
	eventually(t, "B3: the oldest are removed", func() bool { n, _ := retained(h); return n <= r.Messages+r.Step(1)+8 })
	left := atRest(h)
	for _, topic := range append(topics, "") {
		equal(t, "B3: all of "+topic, h.before(0, topic, chat.MaxPos, 2000), ofTopic(left, topic))
		for range 20 {
			bound := want[g.IntN(len(want))].ID.Pos // most are removed
			equal(t, "B3: "+topic, h.before(0, topic, bound, 50), lastBefore(left, topic, bound, 50))
		}
	}
}

func testT2(t *testing.T, f Factory) {
	r := chat.Retention{Messages: 160}
	h := open(t, f(t, Options{Partitions: 1, Retention: r}))
	g := newGen(28, "t2")
	topics := topicsOf(0, 1, 60)
	fill([]*handle{h}, g, 0, topics[1:], 150, 7)
	h.append(0, g.drafts("seldom", 3)...)
	if n := h.topics(0)["seldom"].Messages; n != 3 {
		t.Errorf("T1: %d messages, want 3", n)
	}
	// A topic that goes on counts what is left of it.
	fill([]*handle{h}, g, 0, topics[:1], 600, 7)
	eventually(t, "T2: emptied topics are not listed", func() bool { return len(h.topics(0)) == 1 })
	left := len(ofTopic(atRest(h), topics[0]))
	if n := h.topics(0)[topics[0]].Messages; n != int64(left) || left >= 600 {
		t.Errorf("T1: a topic that goes on has %d messages, %d are left of 600", n, left)
	}
	got := h.append(0, g.draft("seldom"))
	if info := h.topics(0)["seldom"]; info.Messages != 1 || info.Last != got[0].ID {
		t.Errorf("T1: a topic that came back is %+v", info)
	}
	if ms := h.before(0, "seldom", chat.MaxPos, 10); len(ms) != 1 || ms[0].ID != got[0].ID {
		t.Errorf("B3: a topic that came back has %d messages", len(ms))
	}
}
