package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// Tell implements chat.Presence.
func (s *Store) Tell(ctx context.Context, server string, here chat.Here) (chat.Crowd, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	open := 0
	if here.Open {
		open = 1
	}
	var crowd chat.Crowd
	err := s.try(ctx, s.cmd, &s.away, s.keys.presence, func(ctx context.Context, c *redis.Client) error {
		sums, err := presenceScript.Run(ctx, c, []string{s.keys.presence, s.keys.open},
			server, max(here.People, 0), open, chat.PresenceMemory.Milliseconds()).Int64Slice()
		if err != nil {
			return err
		}
		if len(sums) != 2 {
			return errAnswer("the answer of presence.lua")
		}
		crowd = chat.Crowd{People: int(sums[0]), Servers: int(sums[1])}
		return nil
	})
	if err != nil {
		return chat.Crowd{}, fmt.Errorf("tell presence: %w", err)
	}
	return crowd, nil
}
