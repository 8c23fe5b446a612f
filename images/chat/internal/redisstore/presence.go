package redisstore

import (
	"context"
	"fmt"
	"slices"

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
	args := []any{server, max(here.People, 0), open, chat.PresenceMemory.Milliseconds(), here.Guests, 0, 0, 0}
	if d := here.Accounts; d != nil {
		args[5], args[6], args[7] = d.From, d.To, len(d.Came)
		for _, account := range slices.Concat(d.Came, d.Went) {
			args = append(args, account)
		}
	}
	keys := []string{s.keys.presence, s.keys.open, s.keys.about, s.keys.users}
	var crowd chat.Crowd
	err := s.try(ctx, s.cmd, &s.present, s.keys.presence, func(ctx context.Context, c *redis.Client) error {
		sums, err := presenceScript.Run(ctx, c, keys, args...).Int64Slice()
		if err != nil {
			return err
		}
		if len(sums) != 5 {
			return errAnswer("the answer of presence.lua")
		}
		crowd = chat.Crowd{
			People: int(sums[0]), Servers: int(sums[1]), Guests: int(sums[2]), Users: int(sums[3]), Stale: sums[4] == 1,
		}
		return nil
	})
	if err != nil {
		return chat.Crowd{}, fmt.Errorf("tell presence: %w", err)
	}
	return crowd, nil
}
