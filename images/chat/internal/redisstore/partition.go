package redisstore

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"

	"chatapp/chat/internal/chat"
)

// partition is what this process knows of one partition.
type partition struct {
	n    int
	keys partKeys
	// reads, writes and tidy (retention) may each fail for themselves.
	reads, writes, tidy outage
	agreed              atomic.Bool // on how many partitions there are: Store.agree
	// replicas of the node that holds the partition.
	replicas replicaSet

	mu         sync.Mutex
	epoch      string   // as Redis has it; "" before the first answer
	generation int      // counts epochs seen, so that late answers are told apart
	known      chat.Pos // of the last message appended or read under this epoch
	end        chat.Pos // of the last message of the last entry read: XREAD may start here
	endID      string   // that entry, if it is one of ours: the next one names it
	perEntry   float64  // messages an entry holds, a moving average
}

// fenceArgs is what lua/fence.lua needs of the caller.
func (p *partition) fenceArgs() [4]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return [4]any{p.epoch, p.known.Ms, p.known.Seq, strconv.FormatUint(rand.Uint64(), 10)}
}

// raise notes a position of the present epoch. p.mu is held.
func (p *partition) raise(pos chat.Pos) {
	if pos.Compare(p.known) > 0 {
		p.known = pos
	}
}

// floorPos is the position that retention has cut at: all of an entry.
func floorPos(entry chat.Pos) chat.Pos {
	if entry.IsZero() {
		return entry
	}
	entry.Idx = chat.MaxBatch - 1
	return entry
}
