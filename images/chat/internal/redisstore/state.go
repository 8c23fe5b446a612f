package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// State implements chat.Store.
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
	err := s.try(ctx, s.cmd, &p.away, p.keys.log, func(ctx context.Context, c *redis.Client) error {
		fence := p.fenceArgs()
		reply, err := stateScript.Run(ctx, c, []string{p.keys.log, p.keys.meta}, fence[:]...).StringSlice()
		if err != nil {
			return err
		}
		bad := &formError{what: "state", where: p.keys.meta}
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

// Topics implements chat.Store.
func (s *Store) Topics(ctx context.Context, part int) ([]chat.TopicInfo, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	var all map[string]string
	err := s.try(ctx, s.cmd, &p.away, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
		all, err = c.HGetAll(ctx, p.keys.topics).Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read topics: %w", err)
	}
	list := make([]chat.TopicInfo, 0, len(all))
	for topic, info := range all {
		f := strings.Fields(info)
		if len(f) != 3 {
			return nil, &formError{what: "a topic", where: p.keys.topics}
		}
		n, err1 := strconv.ParseInt(f[0], 10, 64)
		at, err2 := parsePos(f[1] + "-" + f[2])
		if err1 != nil || err2 != nil {
			return nil, &formError{what: "a topic", where: p.keys.topics}
		}
		list = append(list, chat.TopicInfo{Topic: topic, Messages: n, Last: chat.ID{Pos: at, Part: uint8(p.n)}})
	}
	return list, nil
}

// Presence implements chat.Store.
func (s *Store) Presence(ctx context.Context, server string, online int) (int, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	var total int
	err := s.try(ctx, s.cmd, &s.away, s.keys.presence, func(ctx context.Context, c *redis.Client) (err error) {
		total, err = presenceScript.Run(ctx, c, []string{s.keys.presence},
			server, max(online, 0), chat.PresenceMemory.Milliseconds()).Int()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("tell presence: %w", err)
	}
	return total, nil
}
