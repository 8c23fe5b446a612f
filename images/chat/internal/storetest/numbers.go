package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// The clauses of chat.Numbers, and A7 of chat.Log.

func voter(i int) chat.Voter { return chat.VoterOf(fmt.Sprintf("voter%d@example.org", i)) }

func ballot(m chat.Message, voter chat.Voter, vote int8) chat.Ballot {
	return chat.Ballot{Message: m.ID, Topic: m.Topic, Voter: voter, Vote: vote}
}

func wantTally(t *testing.T, clause string, got, want chat.Tally) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %+v, want %+v", clause, got, want)
	}
}

func testV1(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 3})
	h := open(t, l)
	g := newGen(1, "v1")
	var ms []chat.Message
	for _, topic := range []string{"tea", `a "b"`, "0 1 2 3 4 5"} {
		ms = append(ms, h.post(g, topic, 3)...)
	}
	for i, m := range ms {
		var ballots []chat.Ballot
		for v := range i + 1 {
			ballots = append(ballots, ballot(m, voter(v), 1), ballot(m, voter(100+v), -1))
		}
		for j, c := range h.vote(ballots...) {
			if c.ID != m.ID || c.Topic != m.Topic || c.Tally != (chat.Tally{Up: int64(i + 1), Down: int64(i + 1)}) {
				t.Errorf("V1: ballot %d of message %d gave %+v", j, i, c)
			}
		}
	}
	h.Close()
	h = open(t, l)
	for i, m := range ms {
		wantTally(t, "V1: after opening again", h.tally(m), chat.Tally{Up: int64(i + 1), Down: int64(i + 1)})
	}
	if l.Crash == nil {
		if l = f(t, Options{Partitions: 1, Alone: true}); l.Crash == nil {
			return
		}
	}
	h = open(t, l)
	m := h.post(g, topicsOf(0, h.Partitions(), 1)[0], 1)[0]
	h.vote(ballot(m, voter(1), 1))
	h.delete(m)
	if !l.Shared {
		h.Close()
	}
	l.Crash(t)
	if !l.Shared {
		h = open(t, l)
	}
	wantTally(t, "V1: after a crash", h.tally(m), chat.Tally{Up: 1, Deleted: true})
}

func testV2(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	m := h.post(newGen(1, "v2"), "tea", 1)[0]
	a, b := voter(1), voter(2)
	var last chat.Rev
	for i, step := range []struct {
		voter chat.Voter
		vote  int8
		want  chat.Tally
		same  bool
	}{
		{a, 0, chat.Tally{}, true},
		{a, 1, chat.Tally{Up: 1}, false},
		{a, 1, chat.Tally{Up: 1}, true},
		{b, 1, chat.Tally{Up: 2}, false},
		{a, -1, chat.Tally{Up: 1, Down: 1}, false},
		{b, 0, chat.Tally{Down: 1}, false},
		{b, 0, chat.Tally{Down: 1}, true},
		{a, 1, chat.Tally{Up: 1}, false},
		{a, 0, chat.Tally{}, false},
	} {
		got := h.vote(ballot(m, step.voter, step.vote))[0]
		wantTally(t, fmt.Sprintf("V2: step %d", i), got.Tally, step.want)
		if (got.Rev == last) != step.same || got.Rev < last {
			t.Errorf("V2: step %d has rev %d after %d", i, got.Rev, last)
		}
		last = got.Rev
		if own := h.counted(m, step.voter).Vote; own != step.vote {
			t.Errorf("V2: step %d: own vote %d, want %d", i, own, step.vote)
		}
	}
	// The last of a batch counts.
	got := h.vote(ballot(m, a, 1), ballot(m, b, -1), ballot(m, a, -1))
	for _, c := range got {
		wantTally(t, "V2: in a batch", c.Tally, chat.Tally{Down: 2})
	}
	if chat.VoterOf("Ann@Example.org") != chat.VoterOf("ann@example.ORG") {
		t.Error("V2: addresses that are the same are two voters")
	}
}

func testV3(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1, Retention: chat.Retention{Messages: 20}})
	h := open(t, l)
	g := newGen(1, "v3")
	ms := h.post(g, "tea", 2)
	if c := h.delete(ms[1]); !c.Deleted {
		t.Errorf("D1: deleted gives %+v", c)
	}
	got := h.vote(ballot(ms[0], voter(1), 1), ballot(ms[1], voter(1), 1))
	wantTally(t, "V3: beside a deleted one", got[0].Tally, chat.Tally{Up: 1})
	if got[1].ID != (chat.ID{}) {
		t.Errorf("V3: a deleted message took a vote: %+v", got[1])
	}
	h.overrun(g, ms[1])
	if got := h.vote(ballot(ms[0], voter(1), 1)); got[0].ID != (chat.ID{}) {
		t.Errorf("V3: a message that retention has removed took a vote: %+v", got[0])
	}
	if c := h.delete(ms[0]); c.ID != (chat.ID{}) {
		t.Errorf("D2: a message that retention has removed was deleted: %+v", c)
	}
	if _, a := h.reply(g, ms[0]); !a.Refused {
		t.Errorf("A7: a message that retention has removed took a reply: %+v", a)
	}
}

func testV4(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1, Alone: true})
	if l.Away == nil {
		t.Skip("this store is never away")
	}
	h := open(t, l)
	m := h.post(newGen(1, "v4"), "tea", 1)[0]
	back := l.Away(t)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := h.Vote(ctx, 0, []chat.Ballot{ballot(m, voter(1), 1)})
	if err == nil {
		t.Error("V4: a vote without a store succeeded")
	}
	if _, err := h.Delete(ctx, m.ID, m.Topic); err == nil {
		t.Error("V4: a deletion without a store succeeded")
	}
	back()
	eventually(t, "the store is back", func() bool {
		_, err := h.Vote(h.ctx(), 0, []chat.Ballot{ballot(m, voter(1), 1)})
		return err == nil
	})
	wantTally(t, "V4: voting again", h.tally(m), chat.Tally{Up: 1})
}

func testD1(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	g := newGen(1, "d1")
	m := h.post(g, "tea", 1)[0]
	h.vote(ballot(m, voter(1), 1), ballot(m, voter(2), -1))
	first, _ := h.reply(g, m)
	c := h.delete(m)
	wantTally(t, "D1", c.Tally, chat.Tally{Up: 1, Down: 1, Replies: 1, Deleted: true})
	if again := h.delete(m); again != c {
		t.Errorf("D1: deleted again: %+v, was %+v", again, c)
	}
	if got := h.repliesTo(m, chat.MaxPos, 10); !slices.Equal(got, []chat.Pos{first.ID.Pos}) {
		t.Errorf("D1: replies %v", got)
	}
	h.delete(first)
	wantTally(t, "D1: a deleted reply", h.tally(m), c.Tally)
}

func testA7(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	h := open(t, l)
	g := newGen(1, "a7")
	ms := h.post(g, "tea", 3)
	reply, got := h.reply(g, ms[0])
	if got.Refused || got.Duplicate {
		t.Fatalf("A7: %+v", got)
	}
	events := h.all(0, ms[2].ID.Pos, 10)
	if len(events) != 1 || events[0] != reply {
		t.Errorf("A7: read back %+v, want %+v", events, reply)
	}
	wantTally(t, "A7", h.tally(ms[0]), chat.Tally{Replies: 1})

	// Mixed batches: plain, replies, repeats, refused ones.
	h.delete(ms[1])
	fresh, refused, again, plain := g.draft("tea"), g.draft("tea"), reply.Draft, g.draft("tea")
	fresh.ReplyTo, refused.ReplyTo = ms[0].ID, ms[1].ID
	twice := fresh
	results := h.append(0, plain, fresh, refused, again, twice)
	if a := results[0]; a.Refused || a.Duplicate {
		t.Errorf("A7: a plain event: %+v", a)
	}
	if a := results[1]; a.Refused || a.Duplicate {
		t.Errorf("A7: a reply: %+v", a)
	}
	if a := results[3]; !a.Duplicate || a.ID != reply.ID {
		t.Errorf("A3 before A7: a repeated reply: %+v", a)
	}
	if a := results[4]; !a.Duplicate || a.ID != results[1].ID {
		t.Errorf("A3 before A7: a reply twice in a batch: %+v", a)
	}
	if a := results[2]; !a.Refused {
		t.Errorf("A7: a reply to a deleted message: %+v", a)
	}
	wantTally(t, "A7: after a mixed batch", h.tally(ms[0]), chat.Tally{Replies: 2})
	wantTally(t, "A7: the deleted one", h.tally(ms[1]), chat.Tally{Deleted: true})

	// A refused key stays free; a known one is known although its parent is gone.
	h.delete(ms[0])
	if a := h.append(0, again)[0]; !a.Duplicate || a.ID != reply.ID {
		t.Errorf("A7: a repeated reply to a deleted message: %+v", a)
	}
	refused.ReplyTo = ms[2].ID
	if a := h.append(0, refused)[0]; a.Refused || a.Duplicate {
		t.Errorf("A7: the key of a refused reply: %+v", a)
	}
	id, known, err := h.Known(h.ctx(), 0, reply.KeyDigest())
	if err != nil || !known || id != reply.ID {
		t.Errorf("Known: %v, %v, %v", id, known, err)
	}
	free := g.draft("tea")
	if _, known, err := h.Known(h.ctx(), 0, free.KeyDigest()); known || err != nil {
		t.Errorf("Known of a new key: %v, %v", known, err)
	}
}

func testA7Refused(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	g := newGen(1, "a7r")
	m := h.post(g, "tea", 1)[0]
	h.delete(m)
	d := g.draft("tea")
	d.ReplyTo = m.ID
	got, err := h.Append(h.ctx(), 0, []chat.Event{chat.NewEvent(d), chat.NewEvent(g.draft("tea"))})
	if err != nil || len(got) != 2 || !got[0].Refused || got[1].Refused || got[1].ID == (chat.ID{}) {
		t.Errorf("A7: %+v, %v", got, err)
	}
	if n := len(h.all(0, m.ID.Pos, 10)); n != 1 {
		t.Errorf("A7: %d events were appended, want 1", n)
	}
}

func testN1(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 3)
	m := hs[0].post(newGen(1, "n1"), "tea", 2)
	for i := range 30 {
		hs[i%3].vote(ballot(m[0], voter(i), 1))
		wantTally(t, "N1", hs[(i+1)%3].tally(m[0]), chat.Tally{Up: int64(i + 1)})
	}
	if c := hs[1].counted(m[1], voter(1)); c.Rev != 0 || c.Tally != (chat.Tally{}) || c.Vote != 0 {
		t.Errorf("N1: a message without numbers has %+v", c)
	}
}

func testN2(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 2)
	g := newGen(1, "n2")
	parents := hs[0].post(g, "tea", 3)
	want := map[chat.ID][]chat.Pos{}
	for i := range 40 {
		p := parents[i%3]
		r, _ := hs[i%2].reply(g, p)
		want[p.ID] = append(want[p.ID], r.ID.Pos)
	}
	for _, p := range parents {
		all := want[p.ID]
		if got := hs[1].repliesTo(p, chat.MaxPos, 100); !slices.Equal(got, all) {
			t.Errorf("N2: %v, want %v", got, all)
		}
		if got := hs[1].repliesTo(p, all[5], 3); !slices.Equal(got, all[2:5]) {
			t.Errorf("N2: before a bound: %v, want %v", got, all[2:5])
		}
		events, err := hs[0].At(hs[0].ctx(), 0, append([]chat.Pos{{Ms: 1}}, all...))
		if err != nil || len(events) != len(all) {
			t.Fatalf("E1: %d events, %v; want %d", len(events), err, len(all))
		}
		for i, e := range events {
			if e.ID.Pos != all[i] || e.Draft.ReplyTo != p.ID || e.Draft.Topic != "tea" {
				t.Errorf("E1: event %d is %+v", i, e)
			}
		}
	}
}

func testN3(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	h := open(t, l)
	g := newGen(1, "n3")
	ms := h.post(g, "tea", 50)
	var last chat.Rev
	for i, m := range ms {
		c := h.vote(ballot(m, voter(i), 1))[0]
		head := h.post(g, "tea", 1)[0]
		if c.Rev <= last || c.Rev <= chat.RevAt(ms[len(ms)-1].ID.Pos) {
			t.Errorf("N3: rev %d after %d and %d", c.Rev, last, chat.RevAt(m.ID.Pos))
		}
		last = c.Rev
		if next := h.vote(ballot(m, voter(1000+i), -1))[0]; next.Rev <= chat.RevAt(head.ID.Pos) {
			t.Errorf("N3: rev %d is not after a message of before, %d", next.Rev, chat.RevAt(head.ID.Pos))
		}
	}
	// Paging gives each once, in order, with its newest tally.
	seen := map[chat.ID]chat.Change{}
	var after chat.Rev
	for {
		list, err := h.Changed(h.ctx(), 0, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, c := range list {
			if c.Rev <= after {
				t.Fatalf("Changed: rev %d after %d", c.Rev, after)
			}
			after = c.Rev
			seen[c.ID] = c
		}
	}
	for _, m := range ms {
		wantTally(t, "Changed", seen[m.ID].Tally, chat.Tally{Up: 1, Down: 1})
	}
}

func testN4(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1, Retention: chat.Retention{Messages: 40}})
	h := open(t, l)
	g := newGen(1, "n4")
	ms := h.post(g, "tea", 5)
	for _, m := range ms {
		h.vote(ballot(m, voter(1), 1), ballot(m, voter(2), -1))
		h.reply(g, m)
	}
	h.delete(ms[0])
	h.overrun(g, ms[4])
	eventually(t, "N4: numbers are forgotten with their messages", func() bool {
		h.post(g, "tea", 10)
		floor := h.state(0).Floor
		changed, err := h.Changed(h.ctx(), 0, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changed {
			if c.ID.Pos.Compare(floor) <= 0 {
				return false
			}
		}
		for _, m := range ms {
			c := h.counted(m, voter(1))
			if c.Rev != 0 || c.Vote != 0 || len(h.repliesTo(m, chat.MaxPos, 10)) > 0 {
				return false
			}
		}
		return true
	})
}

func testF1(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 3)
	ms := hs[0].post(newGen(1, "f1"), "tea", 20)
	hs[0].vote(ballot(ms[0], voter(0), 1)) // before: not to be told
	list, from, err := hs[2].Follow(hs[2].ctx(), 0, 0, 0)
	if err != nil || len(list) != 0 || from == 0 {
		t.Fatalf("Follow from the beginning: %v, %v, %v", list, from, err)
	}
	if list, same, err := hs[2].Follow(hs[2].ctx(), 0, from, 0); err != nil || len(list) != 0 || same != from {
		t.Errorf("F2: %v, %d after %d, %v", list, same, from, err)
	}
	const rounds = 40
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			for n := range rounds {
				var ballots []chat.Ballot
				for range 1 + r.IntN(30) {
					ballots = append(ballots, ballot(ms[r.IntN(len(ms))], voter(r.IntN(50)), int8(r.IntN(3)-1)))
				}
				if _, err := hs[i].Vote(hs[i].ctx(), 0, ballots); err != nil {
					t.Errorf("vote %d: %v", n, err)
				}
			}
		})
	}
	known := map[chat.ID]chat.Change{}
	follow := func(wait time.Duration) bool {
		list, next, err := hs[2].Follow(hs[2].ctx(), 0, from, wait)
		if err != nil {
			t.Errorf("F1: %v", err)
			return false
		}
		from = next
		for _, c := range list {
			if c.Rev >= known[c.ID].Rev {
				known[c.ID] = c
			}
		}
		return len(list) > 0
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for voting := true; voting; {
		select {
		case <-done:
			voting = false
		default:
			follow(20 * time.Millisecond)
		}
	}
	for follow(0) {
	}
	for i, m := range ms {
		want := hs[1].counted(m, chat.Voter{}).Change
		if got := known[m.ID]; got != want && (want.Rev > 0 && i > 0 || got.Rev != 0) {
			t.Errorf("F1: message %d: %+v, want %+v", i, got, want)
		}
	}
	// A reader that was away for longer than the store keeps what changed last.
	for i := range 600 {
		hs[0].vote(ballot(ms[i%len(ms)], voter(10_000+i), 1))
	}
	for follow(0) {
	}
	for i, m := range ms {
		if got, want := known[m.ID], hs[1].counted(m, chat.Voter{}).Change; got != want {
			t.Errorf("F1: after a pause, message %d: %+v, want %+v", i, got, want)
		}
	}
}

func testF3(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	_, from, err := h.Follow(h.ctx(), 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := h.Follow(ctx, 0, from, time.Hour)
		ended <- err
	}()
	cancel()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("F3: %v", err)
		}
	case <-time.After(patience):
		t.Error("F3: Follow goes on after its context has ended")
	}
}

// testVotesAgainstModel races votes of three processes, with retries, and
// compares with what each voter said last.
func testVotesAgainstModel(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 3)
	g := newGen(1, "model")
	ms := hs[0].post(g, "tea", 8)
	var (
		mu      sync.Mutex
		replies = map[chat.ID]int64{}
		votes   [30]map[chat.ID]int8 // by voter: a voter speaks one at a time
		wg      sync.WaitGroup
	)
	for v := range votes {
		votes[v] = map[chat.ID]int8{}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(v), 11))
			g := newGen(uint64(v), fmt.Sprintf("model%d", v))
			for range 40 {
				h, m := hs[r.IntN(3)], ms[r.IntN(len(ms))]
				if r.IntN(8) == 0 {
					if _, a := h.reply(g, m); !a.Refused {
						mu.Lock()
						replies[m.ID]++
						mu.Unlock()
					}
					continue
				}
				b := ballot(m, voter(v), int8(r.IntN(3)-1))
				h.vote(b)
				if r.IntN(4) == 0 { // a retry, by another way
					hs[r.IntN(3)].vote(b)
				}
				votes[v][m.ID] = b.Vote
			}
		})
	}
	wg.Wait()
	for i, m := range ms {
		want := chat.Tally{Replies: replies[m.ID]}
		for v := range votes {
			switch votes[v][m.ID] {
			case 1:
				want.Up++
			case -1:
				want.Down++
			}
			if own := hs[2].counted(m, voter(v)).Vote; own != votes[v][m.ID] {
				t.Errorf("message %d: voter %d has %d, want %d", i, v, own, votes[v][m.ID])
			}
		}
		wantTally(t, fmt.Sprintf("message %d", i), hs[1].tally(m), want)
	}
}
