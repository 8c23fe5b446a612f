package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// later is a kind of event that this version does not know.
const later chat.Kind = 'z'

// equalEvents checks that two stretches of the log are the same.
func equalEvents(t *testing.T, clause string, got, want []chat.Event) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: %d events, want %d; the first difference is at %d: %+v, want %+v", clause, len(got), len(want), i, got[i], want[i])
		}
	}
	t.Fatalf("%s: %d events, want %d", clause, len(got), len(want))
}

// checkHistory holds Before, on a log of these events, to what Read gave: all
// pages of all topics, from every bound.
func checkHistory(h *handle, log []chat.Event, topics []string) {
	h.t.Helper()
	for _, topic := range append(topics, "") {
		var mine []chat.Event
		for _, e := range log {
			if topic == "" || e.Draft.Topic == topic {
				mine = append(mine, e)
			}
		}
		for _, most := range []int{1, 3, 1000} {
			for i := range len(log) + 1 {
				bound := chat.MaxPos
				if i < len(log) {
					bound = log[i].ID.Pos
				}
				end := 0
				for end < len(mine) && mine[end].ID.Pos.Compare(bound) < 0 {
					end++
				}
				equalEvents(h.t, fmt.Sprintf("B4: %d of %q before %v", most, topic, bound),
					h.eventsBefore(topic, bound, most), mine[max(0, end-most):end])
			}
		}
	}
}

// testLaterVersion reads a log to which a later version has written: events of
// a kind of its own, alone and among others, and messages with more fields.
func testLaterVersion(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 2)
	g := newGen(41, "later")
	topics := topicsOf(0, 1, 3)
	var want []chat.Event
	for i := range 30 {
		batch := make([]chat.Event, 1+i%4)
		for j := range batch {
			draft := g.draft(topics[g.IntN(len(topics))])
			draft.Account = "abcdefghijklmnop" // the last field of a message, as this version knows it
			batch[j] = chat.NewEvent(draft)
			if g.IntN(4) == 0 || i > 27 { // the last are of the later kind, too
				batch[j].Kind = later
			}
		}
		got, err := hs[0].Append(hs[0].ctx(), 0, batch)
		if err != nil {
			t.Fatal(err)
		}
		for j, e := range batch {
			e.ID = got[j].ID
			if e.Kind == later {
				e.Draft = chat.Draft{Topic: e.Draft.Topic}
			}
			want = append(want, e)
		}
	}
	if l.Rewrite != nil {
		// The fields that this version knows, and may leave out, are empty.
		more := strings.Repeat("\x00", 20) + "\x05later"
		for i, e := range want {
			if e.Kind.Known() && i%3 == 0 {
				l.Rewrite(t, e.ID, func(record string) string { return record + more })
			}
		}
	}
	for _, h := range hs {
		for _, max := range []int{1, 7, 1000} {
			equalEvents(t, "R6: read", h.events(0, chat.Pos{}, max), want)
		}
		checkHistory(h, want, topics)
		for i, e := range want[:len(want)-1] { // by a call that would wait if there were nothing
			got, err := h.Read(h.ctx(), 0, e.ID.Pos, 1, patience)
			if err != nil || len(got.Events) == 0 || got.Events[0] != want[i+1] {
				t.Fatalf("R6: a waiting read after %v: %+v, %v", e.ID, got, err)
			}
		}
	}
	last := want[len(want)-1].ID.Pos
	if got := hs[1].state(0).Head; got.Compare(last) < 0 {
		t.Errorf("S1: the head is %v, before the last event's %v", got, last)
	}
	listed := hs[1].topics(0)
	for _, topic := range topics {
		if listed[topic].Messages == 0 {
			t.Errorf("T1: topic %q is not listed", topic)
		}
	}
	// A reader that waits is given the later kind as soon as it is there.
	done := make(chan chat.Batch, 1)
	ctx := hs[1].ctx()
	go func() {
		got, _ := hs[1].Read(ctx, 0, last, 10, patience)
		done <- got
	}()
	e := chat.NewEvent(g.draft(topics[0]))
	e.Kind = later
	if _, err := hs[0].Append(hs[0].ctx(), 0, []chat.Event{e}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-done:
		if len(got.Events) != 1 || got.Events[0].Kind != later || got.Through != got.Events[0].ID.Pos {
			t.Errorf("R4: a waiting reader was given %+v", got)
		}
	case <-time.After(patience):
		t.Error("R4: a waiting reader was not given an event of a later kind")
	}
}

// spoil appends batches, damages one event in the middle of each, and gives
// the log as it was: what is left of it must be read. Each damaged event is
// alone in its batch.
func spoil(t *testing.T, l *Log, h *handle, g *gen, topics []string, damage Damage) (was []chat.Message, spoilt []chat.ID) {
	for i := range 20 {
		size := 1
		if i%5 == 4 {
			size = 3
		}
		drafts := make([]chat.Draft, size)
		for j := range drafts {
			drafts[j] = g.draft(topics[(i+j)%len(topics)])
		}
		was = append(was, messages(drafts, h.append(0, drafts...))...)
		if i == 7 || i == 10 || i == 11 {
			spoilt = append(spoilt, was[len(was)-1].ID)
		}
	}
	for _, id := range spoilt {
		damage.Do(t, id)
	}
	return was, spoilt
}

// expectSpoilt checks a log in which some events are damaged: all others are
// read, and in the place of each damaged one there is one damaged event.
func expectSpoilt(t *testing.T, got []chat.Event, was []chat.Message, spoilt []chat.ID) {
	t.Helper()
	if len(got) != len(was) {
		t.Fatalf("R6: %d events, want %d", len(got), len(was))
	}
	for i, e := range got {
		if slices.Contains(spoilt, was[i].ID) {
			if e.Kind != chat.KindDamaged || e.ID.Pos.Compare(was[i].ID.Pos) < 0 || i+1 < len(was) && e.ID.Pos.Compare(was[i+1].ID.Pos) >= 0 {
				t.Errorf("R6: in place of %v there is %+v", was[i].ID, e)
			}
		} else if !e.Kind.Known() || e.Message() != was[i] {
			t.Errorf("R6: event %d is %+v, want %+v", i, e, was[i])
		}
	}
}

func testDamage(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	if len(l.Damages) == 0 {
		t.Log("left out: this log cannot be damaged here")
		return
	}
	for n := range l.Damages {
		l := f(t, Options{Partitions: 1})
		damage := l.Damages[n]
		hs := openAll(t, l, 2)
		g := newGen(42, "damage")
		topics := topicsOf(0, 1, 3)
		epoch := hs[0].state(0).Epoch
		was, spoilt := spoil(t, l, hs[0], g, topics, damage)
		t.Log(damage.Name)
		for _, h := range hs {
			got := h.events(0, chat.Pos{}, 1000)
			expectSpoilt(t, got, was, spoilt)
			for _, max := range []int{1, 5} {
				equalEvents(t, "R6: read by "+fmt.Sprint(max), h.events(0, chat.Pos{}, max), got)
			}
			checkHistory(h, got, topics)
			for i, e := range got {
				equalEvents(t, "R6: read on", h.events(0, e.ID.Pos, 10), got[i+1:])
			}
		}
		if n := len(hs[1].topics(0)); n != len(topics) {
			t.Errorf("T1: %d topics are listed, want %d", n, len(topics))
		}
		next := g.draft(topics[0])
		id := hs[1].append(0, next)[0].ID
		if got := hs[0].state(0); got.Epoch != epoch || got.Head.Compare(id.Pos) < 0 {
			t.Errorf("S3: after damage the state is %+v; the epoch was %d", got, epoch)
		}
		if got := hs[0].eventsBefore(topics[0], chat.MaxPos, 1); len(got) != 1 || got[0].ID != id {
			t.Errorf("B4: the latest after damage is %+v", got)
		}
		hs[0].Close()
		if l.Shared {
			hs[1].Close()
		}
		if got := open(t, l).events(0, chat.Pos{}, 100); len(got) != len(was)+1 {
			t.Errorf("R6: after closing and opening: %d events, want %d", len(got), len(was)+1)
		}
	}
}

// testDamageAtTheEnd damages the last event there is.
func testDamageAtTheEnd(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	for n := range l.Damages {
		l := f(t, Options{Partitions: 1})
		hs := openAll(t, l, 2)
		g := newGen(43, "end")
		was := messages(appendSome(hs[0], g, 1))
		was = append(was, messages(appendSome(hs[0], g, 1))...)
		before := hs[0].state(0)
		l.Damages[n].Do(t, was[1].ID)
		t.Log(l.Damages[n].Name)
		for _, h := range hs {
			got := h.events(0, chat.Pos{}, 10)
			expectSpoilt(t, got, was, []chat.ID{was[1].ID})
			if s := h.state(0); s != before || got[1].ID.Pos.Compare(s.Head) < 0 {
				t.Errorf("S1: the state is %+v, was %+v; the damaged event is at %v", s, before, got[1].ID)
			}
		}
		id := hs[1].append(0, g.draft("general"))[0].ID
		if got := hs[0].events(0, chat.Pos{}, 10); len(got) != 3 || got[2].ID != id {
			t.Errorf("R6: after one more: %+v", got)
		}
		// The last of a batch: the others may be lost, but a reader comes to be
		// past all of them, and every reader at the same position.
		_, batch := appendSome(hs[0], g, 3)
		l.Damages[n].Do(t, batch[2].ID)
		got := hs[0].events(0, id.Pos, 10)
		damaged := func(e chat.Event) bool { return e.Kind == chat.KindDamaged }
		if !slices.ContainsFunc(got, damaged) || got[len(got)-1].ID.Pos.Compare(hs[0].state(0).Head) < 0 {
			t.Errorf("R6: a batch whose end is damaged is %+v; the head is %v", got, hs[0].state(0).Head)
		}
		equalEvents(t, "R6: the other handle", hs[1].events(0, id.Pos, 1), got)
		id = hs[1].append(0, g.draft("general"))[0].ID
		if got := hs[0].events(0, got[len(got)-1].ID.Pos, 10); len(got) != 1 || got[0].ID != id {
			t.Errorf("R6: after the batch: %+v, want %v", got, id)
		}
		if s := hs[0].state(0); s.Epoch != before.Epoch {
			t.Error("S3: the epoch changed")
		}
	}
}

// testRetentionOverDamage lets retention pass damaged events, among them the
// only one of a topic.
func testRetentionOverDamage(t *testing.T, f Factory) {
	r := chat.Retention{Messages: 160, Bytes: 1 << 30}
	for n := range f(t, Options{Partitions: 1, Retention: r}).Damages {
		l := f(t, Options{Partitions: 1, Retention: r})
		h := open(t, l)
		g := newGen(44, "rd")
		was, spoilt := spoil(t, l, h, g, []string{"general"}, l.Damages[n])
		seldom := h.append(0, g.draft("seldom"))[0].ID
		l.Damages[n].Do(t, seldom)
		t.Log(l.Damages[n].Name)
		fill([]*handle{h}, g, 0, []string{"general"}, 600, 7)
		eventually(t, "retention passes what is damaged", func() bool {
			return h.state(0).Floor.Compare(seldom.Pos) >= 0
		})
		eventually(t, "T2: a topic whose only event was damaged is not listed", func() bool { return len(h.topics(0)) == 1 })
		got := atRest(h)
		if len(got) < int(r.Messages)-len(spoilt) || len(was) == 0 {
			t.Errorf("retention: %d events are left, want about %d", len(got), r.Messages)
		}
		equal(t, "B3: history after retention", h.before(0, "general", chat.MaxPos, 2000), got)
	}
}
