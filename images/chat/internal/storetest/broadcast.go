package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// listener collects what one process hears.
type listener struct {
	mu    sync.Mutex
	heard []chat.Ephemeral
}

// listen begins to listen, and returns once the handle hears what is sent.
func listen(t *testing.T, h, sender *handle, topic string) *listener {
	t.Helper()
	l := &listener{}
	ctx, cancel := context.WithCancel(context.Background())
	var listening sync.WaitGroup
	listening.Go(func() {
		h.Listen(ctx, func(_ int, list []chat.Ephemeral) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.heard = append(l.heard, list...)
		})
	})
	t.Cleanup(func() { cancel(); listening.Wait() })
	eventually(t, "a listener hears", func() bool {
		if _, err := sender.Send(sender.ctx(), chat.PartitionOf(topic, h.Partitions()), []chat.Draft{{Key: "warm", Topic: topic, Content: "warm"}}); err != nil {
			t.Errorf("send: %v", err)
		}
		return len(l.all()) > 0
	})
	return l
}

func (l *listener) all() []chat.Ephemeral {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard[:len(l.heard):len(l.heard)]
}

func testE2(t *testing.T, f Factory) {
	hs := openAll(t, f(t, Options{Partitions: 2}), 3)
	topic := topicsOf(1%hs[0].Partitions(), hs[0].Partitions(), 1)[0]
	part := chat.PartitionOf(topic, hs[0].Partitions())
	listeners := []*listener{listen(t, hs[0], hs[1], topic), listen(t, hs[2], hs[1], topic)}
	const n = 200
	var wg sync.WaitGroup
	for s := range 3 {
		wg.Go(func() {
			g := newGen(uint64(s), fmt.Sprintf("e2-%d", s))
			for sent := 0; sent < n; {
				drafts := g.drafts(topic, min(1+g.IntN(5), n-sent))
				drafts[0].Account = "abcdefghijklmnop"
				times, err := hs[s].Send(hs[s].ctx(), part, drafts)
				if err != nil || len(times) != len(drafts) || time.Since(times[0]).Abs() > time.Hour {
					t.Errorf("E2: send: %v, %v", times, err)
				}
				sent += len(drafts)
			}
		})
	}
	wg.Wait()
	for i, l := range listeners {
		eventually(t, "everything is heard", func() bool {
			count := 0
			for _, e := range l.all() {
				if e.Content != "warm" {
					count++
				}
			}
			return count >= 3*n
		})
		next := map[string]int{}
		for _, e := range l.all() {
			if e.Content == "warm" {
				continue
			}
			next[e.Name]++
			var sender string
			var number int
			if _, err := fmt.Sscanf(e.Key, "e2-%1s-%d", &sender, &number); err != nil || number != next[e.Name] || e.Topic != topic {
				t.Fatalf("E2: listener %d heard %q of %s as number %d", i, e.Key, e.Name, next[e.Name])
			}
		}
	}
}

func testE4(t *testing.T, f Factory) {
	h := open(t, f(t, Options{Partitions: 1}))
	before := h.state(0)
	g := newGen(1, "e4")
	for range 10 {
		if _, err := h.Send(h.ctx(), 0, g.drafts("tea", 5)); err != nil {
			t.Fatal(err)
		}
	}
	if after := h.state(0); after.Head != before.Head {
		t.Errorf("E4: the log went on from %v to %v", before.Head, after.Head)
	}
	if got := h.all(0, chat.Pos{}, 10); len(got) != 0 {
		t.Errorf("E4: the log has %d messages", len(got))
	}
	if topics := h.topics(0); len(topics) != 0 {
		t.Errorf("E4: the log has topics %v", topics)
	}
}
