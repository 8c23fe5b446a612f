package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// seed of the property tests; a failure prints nothing else that is random.
const seed = 20261123

// testOneOrder has several writers and readers at once, on handles of their
// own where the store allows it. Some batches repeat keys of other writers.
// Every reader must see exactly what was acknowledged, in the order of ids.
func testOneOrder(t *testing.T, f Factory) {
	const writers, batches = 4, 60
	l := f(t, Options{Partitions: 2})
	hs := openAll(t, l, 3)
	partitions := hs[0].Partitions()

	var mu sync.Mutex
	byKey := make(map[string]chat.Message) // as acknowledged
	posted := make([][]chat.Draft, partitions)
	total := make([]int, partitions)
	closing := make(chan struct{})

	var readers, posters sync.WaitGroup
	seen := make([][][]chat.Message, len(hs))
	for i, h := range hs {
		seen[i] = make([][]chat.Message, partitions)
		for part := range partitions {
			g := newGen(seed+uint64(i*10+part), "reader")
			ctx := h.ctx()
			readers.Go(func() {
				for {
					var at chat.Pos
					if n := len(seen[i][part]); n > 0 {
						at = seen[i][part][n-1].ID.Pos
					}
					wait := time.Duration(g.IntN(3)) * 20 * time.Millisecond
					got, err := h.Read(ctx, part, at, 1+g.IntN(60), wait)
					if err != nil {
						t.Errorf("read: %v", err)
						return
					}
					for _, e := range got.Events {
						seen[i][part] = append(seen[i][part], e.Message())
					}
					if len(got.Events) > 0 {
						continue
					}
					select {
					case <-closing:
						mu.Lock()
						done := len(seen[i][part]) >= total[part]
						mu.Unlock()
						if done {
							return
						}
					default:
					}
				}
			})
		}
	}
	for w := range writers {
		g := newGen(seed+uint64(100+w), fmt.Sprint("writer", w))
		h := hs[w%len(hs)]
		posters.Go(func() {
			for range batches {
				part := g.IntN(partitions)
				topics := topicsOf(part, partitions, 5)
				var drafts []chat.Draft
				for range 1 + g.IntN(15) {
					drafts = append(drafts, g.draft(topics[g.IntN(len(topics))]))
				}
				mu.Lock()
				for range g.IntN(3) { // what somebody, perhaps this batch, posted before
					old := append(posted[part], drafts...)
					drafts = append(drafts, old[g.IntN(len(old))])
				}
				posted[part] = append(posted[part], drafts...) // so that others race this append
				mu.Unlock()
				got := h.append(part, drafts...)
				mu.Lock()
				for i, a := range got {
					if m, ok := byKey[drafts[i].Key]; ok && m.ID != a.ID {
						t.Errorf("key %s has ids %v and %v", m.Key, m.ID, a.ID)
					} else if !ok {
						byKey[drafts[i].Key] = chat.Message{ID: a.ID, Draft: drafts[i]}
						total[part]++
					}
				}
				mu.Unlock()
			}
		})
	}
	posters.Wait()
	close(closing)
	readers.Wait()

	want := make([][]chat.Message, partitions)
	for _, m := range byKey {
		want[m.ID.Part] = append(want[m.ID.Part], m)
	}
	for part := range partitions {
		slices.SortFunc(want[part], func(a, b chat.Message) int { return a.ID.Compare(b.ID) })
		for i := range hs {
			equal(t, fmt.Sprintf("reader %d of partition %d", i, part), seen[i][part], want[part])
		}
		g := newGen(seed, "resume")
		for range 30 {
			p := randomPos(g, want[part])
			equal(t, fmt.Sprintf("resume after %v", p), hs[g.IntN(len(hs))].all(part, p, 1+g.IntN(300)), after(want[part], p))
		}
	}
}

// randomPos is a position in, between, before or after the messages.
func randomPos(g *gen, ms []chat.Message) chat.Pos {
	p := ms[g.IntN(len(ms))].ID.Pos
	switch g.IntN(5) {
	case 0:
		p.Ms += uint64(g.IntN(3)) - 1
	case 1:
		p.Seq = uint32(g.IntN(4))
	case 2:
		p.Idx = uint8(g.IntN(256))
	}
	return p
}

// testBeforeAgreesWithRead asks for every kind of page of a log with topics
// from hot to nearly silent.
func testBeforeAgreesWithRead(t *testing.T, f Factory) {
	l := f(t, Options{Partitions: 1})
	hs := openAll(t, l, 2)
	g := newGen(seed, "before")
	topics := topicsOf(0, 1, 30)
	fill(hs, g, 0, topics, 1200, 40)
	log := hs[0].all(0, chat.Pos{}, 100)
	for range 300 {
		topic := ""
		if i := g.IntN(len(topics) + 3); i < len(topics) {
			topic = topics[i]
		}
		bound, max := randomPos(g, log), 1+g.IntN(60)
		if g.IntN(10) == 0 {
			bound = chat.MaxPos
		}
		equal(t, fmt.Sprintf("%d of %q before %v", max, topic, bound),
			hs[g.IntN(2)].before(0, topic, bound, max), lastBefore(log, topic, bound, max))
	}
}
