package redisstore

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// probePeriod is the time between two looks at whether writes that were
	// refused are taken again: nobody may be posting meanwhile.
	probePeriod = time.Second
	// memoryPeriod is the time between two looks at Redis's memory.
	memoryPeriod = 30 * time.Second
)

// Trouble says, a sentence each, what Redis does not do at the moment, and what
// is wrong with how it is set up.
func (s *Store) Trouble() []string { return s.trouble.Sentences() }

// keepWatch is a goroutine of the store's. It finds out when writes that were
// refused are taken again, and how much memory Redis may take.
func (s *Store) keepWatch() {
	tick := time.NewTicker(probePeriod)
	defer tick.Stop()
	var looked time.Time
	for {
		if time.Since(looked) >= memoryPeriod && s.lookAtMemory() && s.plant() {
			looked = time.Now()
		}
		s.probe()
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// plant makes the keys that are missing, on a Cluster. While a slot moves to
// another node, Redis refuses every script that names a key which is not there.
// plant reports whether all keys are there.
func (s *Store) plant() bool {
	whole := true
	for _, p := range s.parts {
		if s.form != formCluster {
			break
		}
		err := s.tryOnce(s.ctx, tryTimeoutAway, s.cmd, p.keys.log, func(ctx context.Context, c *redis.Client) error {
			return plantScript.Run(ctx, c, p.keys.plant).Err()
		})
		whole = whole && err == nil
	}
	return whole
}

// probe writes where writes were refused. Its own failures are not counted.
func (s *Store) probe() {
	var asking sync.WaitGroup
	defer asking.Wait()
	for _, p := range s.probes.all() {
		if !s.trouble.In(p.away.place, p.away.access) {
			continue
		}
		asking.Go(func() {
			err := s.tryOnce(s.ctx, tryTimeoutAway, s.cmd, p.key, func(ctx context.Context, c *redis.Client) error {
				return s.runDurable(ctx, c, p.replicas, probeScript, []string{p.key}, []any{p.arg}).Err()
			})
			if err == nil {
				p.away.ends()
				s.trouble.Works(p.away.place, p.away.access)
			}
		})
	}
}
