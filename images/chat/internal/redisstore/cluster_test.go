package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// topicIn is a topic of a partition.
func topicIn(part, partitions int) string {
	for i := 0; ; i++ {
		if topic := fmt.Sprint("topic ", i); chat.PartitionOf(topic, partitions) == part {
			return topic
		}
	}
}

// Every slot of the log moves to another master under appends. None fails: not
// while nothing has gone yet, not while all has gone and the slot has not, not
// after. Nothing is lost, doubled or out of order, and a tail misses nothing.
func TestSlotsMoveUnderAppends(t *testing.T) {
	t.Parallel()
	const partitions = 3
	c := redistest.StartCluster(t, false)
	opt := redisstore.Options{URL: c.URL(), Partitions: partitions, MinReplicas: redisstore.NoReplicas, Retention: chat.Retention{Messages: 100_000}}
	s := open(t, opt)
	var posters []*poster
	var tails []*tail
	for part := range partitions {
		key := fmt.Sprintf("chat:{p%d}:replies", part) // the last that is planted
		until(t, "the keys are there", func() bool {
			return c.Masters[c.Owner(key)].Do("exists", key) == int64(1)
		})
		posters = append(posters, startPoster(s, part, topicIn(part, partitions), fmt.Sprint("p", part, "-")))
		tails = append(tails, startTail(open(t, opt), part))
	}
	for part, p := range posters {
		p.more(t, 50)
		move := c.StartMove(fmt.Sprintf("chat:{p%d}:log", part))
		p.more(t, len(p.count)+50)
		for move.Keys(6) > 0 { // several at a time, so that they are apart for a moment
		}
		p.more(t, len(p.count)+50)
		move.End()
		p.more(t, len(p.count)+50)
	}
	for part, p := range posters {
		p.end()
		log := readAll(t, s, part)
		p.check(t, log)
		tails[part].check(t, p, log)
		if len(p.errs) > 0 {
			t.Errorf("partition %d: %d appends failed: %q", part, len(p.errs), p.errs[0])
		}
		if page, err := s.Before(within(t, patience), part, topicIn(part, partitions), chat.MaxPos, 10); err != nil || len(page) != 10 {
			t.Errorf("history after the move: %d, %v", len(page), err)
		}
	}
}

// A shard that is dead stops its own partitions alone.
func TestDeadShard(t *testing.T) {
	t.Parallel()
	const partitions = 3
	c := redistest.StartCluster(t, false)
	s := open(t, redisstore.Options{URL: c.URL(), Partitions: partitions, MinReplicas: redisstore.NoReplicas})
	appendTo(t, s, 0, drafts("a", 1))
	dead := c.Owner("chat:{p0}:log")
	c.Masters[dead].Kill()
	for part := range partitions {
		alive := c.Owner(fmt.Sprintf("chat:{p%d}:log", part)) != dead
		_, err := s.Append(within(t, 10*time.Second), part, events(drafts(fmt.Sprint("b", part), 1)))
		if alive != (err == nil) {
			t.Errorf("partition %d, alive %t: %v", part, alive, err)
		}
	}
	c.Masters[dead].Restart()
	noTrouble(t, s)
	appendTo(t, s, 0, drafts("c", 1))
}
