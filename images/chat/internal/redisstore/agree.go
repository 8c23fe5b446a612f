package redisstore

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// agree makes sure that the log of a partition has as many partitions as this
// process thinks, and records the number in a log that is new. On a Cluster
// that record may be on a shard that is dead: so each partition has a copy.
// away is of what is about to be done.
func (s *Store) agree(ctx context.Context, p *partition, away *outage) error {
	if p.agreed.Load() {
		return nil
	}
	var recorded string
	err := s.attempt(ctx, s.cmd, away, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
		recorded, err = c.Get(ctx, p.keys.partitions).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err == nil && recorded == "" {
		err = s.try(ctx, s.cmd, &s.settled, s.keys.partitions, func(ctx context.Context, c *redis.Client) (err error) {
			recorded, err = agreeScript.Run(ctx, c, []string{s.keys.partitions}, len(s.parts)).Text()
			return err
		})
		if err == nil && recorded == strconv.Itoa(len(s.parts)) {
			// Not there, say because Redis is full: the next process does it.
			_ = s.tryOnce(ctx, tryTimeoutAway, s.cmd, p.keys.log, func(ctx context.Context, c *redis.Client) error {
				return c.Set(ctx, p.keys.partitions, recorded, 0).Err()
			})
		}
	}
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(recorded); err != nil || n != len(s.parts) {
		return &errPartitions{recorded: n, set: len(s.parts)}
	}
	p.agreed.Store(true)
	return nil
}
