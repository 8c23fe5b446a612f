package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

func testR1(t *testing.T, f Factory) {
	hs := openAll(t, f(t, Options{Partitions: 2}), 2)
	g := newGen(11, "r1")
	want := make([][]chat.Message, hs[0].Partitions())
	for part := range want {
		want[part] = fill(hs, g, part, topicsOf(part, len(want), 4), 300, 12)
	}
	for part := range want {
		for _, h := range hs {
			equal(t, "R1: from the start", h.all(part, chat.Pos{}, 50), want[part])
			for range 20 {
				i := g.IntN(len(want[part]))
				from := want[part][i].ID.Pos
				equal(t, "R1: from the middle", h.all(part, from, 1+g.IntN(100)), want[part][i+1:])
				// A position that is no message's: of the next millisecond, or
				// past the end of the batch.
				gap := chat.Pos{Ms: from.Ms, Seq: from.Seq, Idx: 255}
				equal(t, "R1: from between", h.all(part, gap, 100), after(want[part], gap))
				gap = chat.Pos{Ms: from.Ms + 1}
				equal(t, "R1: from between", h.all(part, gap, 100), after(want[part], gap))
			}
		}
	}
	if got := hs[0].all(0, chat.MaxPos, 10); len(got) != 0 {
		t.Errorf("R1: %d messages after the greatest position", len(got))
	}
}

func testR2(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	g := newGen(12, "r2")
	var want []chat.Message
	for _, n := range []int{chat.MaxBatch, 1, 3, chat.MaxBatch, chat.MaxBatch, 1, 1} {
		want = append(want, messages(appendSome(h, g, n))...)
	}
	for _, max := range []int{1, 2, 100, chat.MaxBatch, 1000, 100_000} {
		equal(t, "R2: all", h.all(0, chat.Pos{}, max), want) // all checks the size of each answer
	}
	got, err := h.Read(h.ctx(), 0, chat.Pos{}, 1, time.Second)
	if n := len(got.Events); err != nil || n == 0 || n > chat.MaxBatch {
		t.Errorf("R2: a waiting read of about 1 gave %d, %v", n, err)
	}
	// From within a batch, by a call that would wait if there were nothing.
	for _, i := range []int{0, chat.MaxBatch - 2, chat.MaxBatch + 2} {
		got, err := h.Read(h.ctx(), 0, want[i].ID.Pos, 1, patience)
		if err != nil || len(got.Events) == 0 || got.Events[0].Message() != want[i+1] {
			t.Errorf("R1: a waiting read from within a batch gave %d messages, %v", len(got.Events), err)
		}
	}
}

func testR3(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	for _, wait := range []time.Duration{0, time.Millisecond, 60 * time.Millisecond, 1100 * time.Millisecond} {
		start := time.Now()
		got, err := h.Read(h.ctx(), 0, chat.Pos{}, 10, wait)
		if len(got.Events) != 0 || err != nil {
			t.Errorf("R3: an empty log gave %d messages, %v", len(got.Events), err)
		}
		if took := time.Since(start); took < wait {
			t.Errorf("R3: asked to wait %v, it waited %v", wait, took)
		}
	}
	got := h.append(0, newGen(13, "r3").draft("general"))
	last := got[0].ID.Pos
	if got, err := h.Read(h.ctx(), 0, last, 10, 50*time.Millisecond); len(got.Events) != 0 || got.Through != last || err != nil {
		t.Errorf("R3: after the last message: %+v, %v", got, err)
	}
}

// testR4 has readers wait with no end in sight, and appends one by one.
func testR4(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 3)
	g := newGen(14, "r4")
	const rounds = 20
	seen := make(chan chat.Message, len(hs)*rounds)
	var wg sync.WaitGroup
	for _, h := range hs {
		ctx := h.ctx()
		wg.Go(func() {
			var at chat.Pos
			for n := 0; n < rounds; {
				got, err := h.Read(ctx, 0, at, 100, 2*patience)
				if err != nil || len(got.Events) == 0 {
					t.Errorf("R4: a waiting read gave %d messages, %v", len(got.Events), err)
					return
				}
				for _, e := range got.Events {
					seen <- e.Message()
				}
				at = got.Through
				n += len(got.Events)
			}
		})
	}
	for i := range rounds {
		d := g.draft("general")
		id := hs[i%len(hs)].append(0, d)[0].ID
		for range hs {
			select {
			case m := <-seen:
				if m.ID != id || m.Draft != d {
					t.Errorf("R4: appended %v %+v, seen %v %+v", id, d, m.ID, m.Draft)
				}
			case <-time.After(patience):
				t.Fatal("R4: a waiting reader was not given the message")
			}
		}
	}
	wg.Wait()
}

func testR5(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if got, _ := h.Read(ctx, 0, chat.Pos{}, 10, 10*patience); len(got.Events) != 0 {
			t.Errorf("R5: a cancelled read gave %d messages", len(got.Events))
		}
	}()
	time.Sleep(50 * time.Millisecond) // most likely it waits by now; either way it must end
	cancel()
	select {
	case <-done:
	case <-time.After(patience / 6):
		t.Error("R5: cancelling did not end the wait")
	}
}

func testClose(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	h := open(t, l)
	g := newGen(15, "close")
	want := messages(appendSome(h, g, 3))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if got, _ := h.Read(context.Background(), 0, want[2].ID.Pos, 10, 10*patience); len(got.Events) != 0 {
			t.Errorf("Close: a read gave %d messages", len(got.Events))
		}
	}()
	time.Sleep(50 * time.Millisecond)
	if err := h.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	select {
	case <-done:
	case <-time.After(patience / 6):
		t.Error("Close: a waiting read did not end")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := h.tryAppend(ctx, 0, g.drafts("general", 1)); err == nil {
		t.Error("Close: an append after it succeeded")
	}
	equal(t, "Close: the messages stay", open(t, l).all(0, chat.Pos{}, 10), want)
}

func testB1(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	if got := h.before(0, "", chat.MaxPos, 10); len(got) != 0 {
		t.Errorf("B1: an empty log gave %d messages", len(got))
	}
	if got := h.before(0, "general", chat.MaxPos, 10); len(got) != 0 {
		t.Errorf("B1: an empty log gave %d messages", len(got))
	}
	g := newGen(16, "b1")
	topics := topicsOf(0, 1, 6)
	want := fill([]*handle{h}, g, 0, topics, 400, 10)
	for _, topic := range append(topics, "") {
		// Page back from the end, as the history of a page does.
		for _, max := range []int{1, 7, 200, 1000} {
			var got []chat.Message
			for bound := chat.MaxPos; ; bound = got[0].ID.Pos {
				page := h.before(0, topic, bound, max)
				equal(t, "B1: a page of "+topic, page, lastBefore(want, topic, bound, max))
				if len(page) == 0 {
					break
				}
				got = append(page, got...)
			}
			equal(t, "B1: all pages of "+topic, got, ofTopic(want, topic))
		}
	}
	if got := h.before(0, "nobody posted here", chat.MaxPos, 10); len(got) != 0 {
		t.Errorf("B1: an unknown topic gave %d messages", len(got))
	}
}

func testB2(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	g := newGen(17, "b2")
	topics := topicsOf(0, 1, 5)
	// A topic of long ago, one of now and then, and many that come between.
	want := fill([]*handle{h}, g, 0, topics[:1], 30, 5)
	want = append(want, fill([]*handle{h}, g, 0, topics[1:], 600, 6)...)
	check := func(topic string, bound chat.Pos, max int) {
		t.Helper()
		equal(t, "B2: "+topic, h.before(0, topic, bound, max), lastBefore(want, topic, bound, max))
	}
	for _, topic := range append(topics, "") {
		check(topic, chat.Pos{}, 5)
		check(topic, want[0].ID.Pos, 5)
		check(topic, want[len(want)-1].ID.Pos.Next(), 5)
		for range 40 {
			p := want[g.IntN(len(want))].ID.Pos // of whichever topic
			max := 1 + g.IntN(20)
			check(topic, p, max)
			check(topic, p.Next(), max)
			check(topic, chat.Pos{Ms: p.Ms}, max)
			check(topic, chat.Pos{Ms: p.Ms, Seq: p.Seq, Idx: 255}, max)
			check(topic, chat.Pos{Ms: p.Ms + 1, Seq: 1 << 31}, max)
		}
	}
}

func testT1(t *testing.T, f Factory) {
	hs := openAll(t, f(t, Options{Partitions: 3}), 2)
	g := newGen(18, "t1")
	partitions := hs[0].Partitions()
	for part := range partitions {
		if got := hs[0].topics(part); len(got) != 0 {
			t.Errorf("T1: an empty log lists %v", got)
		}
		topics := topicsOf(part, partitions, 7)
		want := make(map[string]chat.TopicInfo)
		for _, m := range fill(hs, g, part, topics, 200, 12) {
			want[m.Topic] = chat.TopicInfo{Topic: m.Topic, Messages: want[m.Topic].Messages + 1, Last: m.ID}
		}
		got := hs[1].topics(part)
		for topic, info := range want {
			if got[topic] != info {
				t.Errorf("T1: topic %q is %+v, want %+v", topic, got[topic], info)
			}
		}
		if len(got) != len(want) {
			t.Errorf("T1: %d topics, want %d", len(got), len(want))
		}
		names := append(topics, topicsOf(part, partitions, 9)[7:]...) // the last two are nobody's
		last, err := hs[1].Last(hs[1].ctx(), part, names)
		if err != nil || len(last) != len(names) {
			t.Fatalf("T3: %v, %v", last, err)
		}
		for i, topic := range names {
			if last[i] != want[topic].Last.Pos {
				t.Errorf("T3: the last event of %q is at %v, want %v", topic, last[i], want[topic].Last.Pos)
			}
		}
	}
}
