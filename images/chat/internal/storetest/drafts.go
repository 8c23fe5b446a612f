package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"chatapp/chat/internal/chat"
)

// gen makes drafts from a seed. It is for one goroutine.
type gen struct {
	*rand.Rand
	name string
	n    int
}

func newGen(seed uint64, name string) *gen {
	return &gen{Rand: rand.New(rand.NewPCG(seed, 7)), name: name}
}

// draft is a draft that no other gen of another name makes.
func (g *gen) draft(topic string) chat.Draft {
	g.n++
	return chat.Draft{
		Key: fmt.Sprintf("%s-%d", g.name, g.n), Topic: topic,
		Name: "Zoë " + g.name, Email: g.name + "@example.org",
		Content: fmt.Sprintf("%d\n%s", g.n, strings.Repeat("é ", g.IntN(100))),
	}
}

func (g *gen) drafts(topic string, n int) []chat.Draft {
	ds := make([]chat.Draft, n)
	for i := range ds {
		ds[i] = g.draft(topic)
	}
	return ds
}

// topicsOf gives n topics of a partition, with awkward names among them.
func topicsOf(part, partitions, n int) []string {
	var names []string
	for i := 0; len(names) < n; i++ {
		for _, form := range []string{"topic %d", "тема \"%d\"", "%d 0-0", "{p%d}"} {
			if name := fmt.Sprintf(form, i); chat.PartitionOf(name, partitions) == part && len(names) < n {
				names = append(names, name)
			}
		}
	}
	return names
}

// messages is what the log should hold for drafts that were appended so.
func messages(drafts []chat.Draft, got []chat.Appended) []chat.Message {
	var ms []chat.Message
	for i, a := range got {
		if !a.Duplicate {
			ms = append(ms, chat.Message{ID: a.ID, Draft: drafts[i]})
		}
	}
	return ms
}

// equal checks that two stretches of the log are the same.
func equal(t *testing.T, clause string, got, want []chat.Message) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: %d messages, want %d; the first difference is at %d: %v %+v, want %v %+v",
				clause, len(got), len(want), i, got[i].ID, got[i].Draft, want[i].ID, want[i].Draft)
		}
	}
	t.Fatalf("%s: %d messages, want %d", clause, len(got), len(want))
}

// ofTopic keeps the messages of a topic; "" is all.
func ofTopic(ms []chat.Message, topic string) []chat.Message {
	if topic == "" {
		return ms
	}
	var some []chat.Message
	for _, m := range ms {
		if m.Topic == topic {
			some = append(some, m)
		}
	}
	return some
}

// after keeps the messages after a position.
func after(ms []chat.Message, p chat.Pos) []chat.Message {
	i := slices.IndexFunc(ms, func(m chat.Message) bool { return m.ID.Pos.Compare(p) > 0 })
	if i < 0 {
		return nil
	}
	return ms[i:]
}

// lastBefore is what Before must give.
func lastBefore(ms []chat.Message, topic string, bound chat.Pos, max int) []chat.Message {
	var some []chat.Message
	for _, m := range ofTopic(ms, topic) {
		if m.ID.Pos.Compare(bound) < 0 {
			some = append(some, m)
		}
	}
	return some[len(some)-min(len(some), max):]
}
