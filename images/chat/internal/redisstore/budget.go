package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// lookAtMemory asks every node of the log how much memory it may take and what
// it does when that is full, derives the budget, and says what is wrong. It
// reports whether there was an answer.
func (s *Store) lookAtMemory() bool {
	byNode := map[string]redisMemory{}
	shares := map[string]int{} // of partitions
	for _, p := range s.parts {
		var addr string
		var found redisMemory
		err := s.tryOnce(s.ctx, tryTimeoutAway, s.cmd, p.keys.log, func(ctx context.Context, c *redis.Client) error {
			addr = c.Options().Addr
			if _, known := byNode[addr]; known {
				return nil
			}
			text, err := c.Info(ctx, "memory").Result()
			if err != nil {
				return err
			}
			var ok bool
			if found, ok = parseMemory(text); !ok {
				return errAnswer("INFO memory")
			}
			byNode[addr] = found
			return nil
		})
		if err != nil && codeOf(err) == "NOPERM" {
			s.memory.unknown.Do(func() {
				s.log.Warn("this user may not call INFO: how much memory Redis has, and what it does when that is full, is not known")
			})
			s.judge(nil, nil)
			return true
		}
		if err != nil {
			return false
		}
		shares[addr]++
	}
	s.judge(byNode, shares)
	return true
}

// judge sets the budget and says what is wrong.
func (s *Store) judge(byNode map[string]redisMemory, shares map[string]int) {
	budget, limit := s.opt.Memory, int64(0)
	var evicts []string
	for addr, m := range byNode {
		if m.policy != "noeviction" && !slices.Contains(evicts, m.policy) {
			evicts = append(evicts, m.policy)
		}
		if m.max == 0 {
			continue
		}
		// Every partition gets the same share. So the node that has least
		// memory for each of its partitions decides.
		if all := m.max / int64(shares[addr]) * int64(len(s.parts)); limit == 0 || all < limit {
			limit = all
		}
	}
	if budget == 0 {
		budget = limit / 4 * 3
	}
	s.memory.mu.Lock()
	s.memory.set = budget
	var all, keys int64
	cut := false
	for _, u := range s.memory.uses {
		all, keys, cut = all+u.all, keys+u.keys, cut || u.cut
	}
	said := fmt.Sprint(limit, budget, evicts)
	news := s.memory.said != said
	s.memory.said = said
	s.memory.mu.Unlock()
	if news && byNode != nil {
		// posts_per_second_for_half: at this rate the keys take half of the
		// budget.
		s.log.Info("redis memory", "maxmemory", limit, "budget", budget, "keep_bytes", s.opt.Retention.Bytes,
			"posts_per_second_for_half", budget/2/keyBytes/keySeconds)
		if budget > 0 && limit > 0 && budget > limit {
			s.log.Warn("the memory set for the log is more than Redis has: it will refuse posts when it is full", "budget", budget, "maxmemory", limit)
		}
	}
	slices.Sort(evicts)
	note := ""
	if len(evicts) > 0 {
		note = "redis throws data away when it is full (maxmemory-policy " + strings.Join(evicts, ", ") +
			"): acknowledged messages, accounts and keys may vanish; set it to noeviction"
	}
	s.trouble.Note("policy", note)
	note = ""
	switch {
	case budget > 0 && keys > budget/2:
		note = fmt.Sprintf("the keys of the last %d hours take %d of the %d bytes that the log may take in redis: give redis more memory", keySeconds/3600, keys, budget)
	case cut:
		note = fmt.Sprintf("messages are removed sooner than set, since the log takes %d of the %d bytes that it may take in redis", all, budget)
	}
	s.trouble.Note("memory", note)
}

const (
	// keyBytes is what Redis takes for a remembered key (measured: TestKeyBytes).
	keyBytes = 98
	// keySeconds is how long a key takes them, at the most.
	keySeconds = int64(keyGenerations) * int64(keyPeriod/1e9)
)
