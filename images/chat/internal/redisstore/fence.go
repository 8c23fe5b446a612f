package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

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
	if err := s.agree(ctx, p, &p.reads); err != nil {
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

// learn notes what a script has answered: the epoch and the last position.
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
		p.agreed.Store(false) // emptied, perhaps by somebody with other settings
	}
}
