package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// partition is what this process knows of one partition.
type partition struct {
	n    int
	keys partKeys
	// reads, writes and tidy (retention) may each fail for themselves.
	reads, writes, tidy outage
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

// State implements chat.Log.
func (s *Store) State(ctx context.Context, part int) (chat.State, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	st, err := s.state(ctx, s.parts[part])
	if err != nil {
		return chat.State{}, fmt.Errorf("read state: %w", err)
	}
	return st, nil
}

func (s *Store) state(ctx context.Context, p *partition) (chat.State, error) {
	if err := s.agree(ctx); err != nil {
		return chat.State{}, err
	}
	var st chat.State
	err := s.try(ctx, s.cmd, &p.reads, p.keys.log, func(ctx context.Context, c *redis.Client) error {
		fence := p.fenceArgs()
		reply, err := stateScript.Run(ctx, c, p.keys.all, fence[:]...).StringSlice()
		if err != nil {
			return err
		}
		bad := errAnswer("the state of a partition")
		if len(reply) != 3 {
			return bad
		}
		head, err1 := parsePos(reply[1])
		floor, err2 := parseEntryID(reply[2])
		epoch, err3 := strconv.ParseUint(reply[0], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			return bad
		}
		s.learn(p, reply[0], head)
		st = chat.State{Epoch: epoch, Head: head, Floor: floorPos(floor)}
		return nil
	})
	return st, err
}

// fenceArgs is what lua/fence.lua needs of the caller.
func (p *partition) fenceArgs() [4]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return [4]any{p.epoch, p.known.Ms, p.known.Seq, strconv.FormatUint(rand.Uint64(), 10)}
}

// learn takes in what a script said: the epoch and the last entry.
func (s *Store) learn(p *partition, epoch string, head chat.Pos) {
	p.mu.Lock()
	changed := p.epoch != "" && p.epoch != epoch
	if p.epoch != epoch {
		p.epoch, p.known, p.end, p.endID = epoch, chat.Pos{}, chat.Pos{}, ""
		p.generation++
	}
	p.raise(head)
	p.mu.Unlock()
	if changed {
		s.log.Warn("the log's past has changed: it was emptied, or lost its tail", "partition", p.n)
		s.agreed.Store(false) // emptied, perhaps by somebody with other settings
	}
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
