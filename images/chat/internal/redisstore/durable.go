package redisstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// replicaWait is how long one try waits for the least number of replicas. A
	// healthy replica takes a millisecond.
	replicaWait = time.Second
	// inStepWait is how long a write waits for more replicas than the least: those
	// that were in step so far. One that takes longer is asked what it is now.
	inStepWait = 500 * time.Millisecond
	// probeTimeout bounds that question.
	probeTimeout = 300 * time.Millisecond
	// answerMargin is what must be left of a deadline, after the wait, for
	// the answer to come back; on a loaded machine, too.
	answerMargin = 150 * time.Millisecond
)

// runDurable runs a script that writes, and gives its answer when what it wrote
// is on at least as many replicas as Options.MinReplicas says and on all of
// r's. Else the answer has an error, and the caller may try again if the script
// may run twice. Even a repeat must write something, for WAIT covers the writes
// of its connection alone.
//
// Script, wait and look go on one connection, in one go.
func (s *Store) runDurable(ctx context.Context, c *redis.Client, r *replicaSet, script *redis.Script, keys []string, args []any) *redis.Cmd {
	least := s.opt.MinReplicas
	if least == 0 {
		return script.Run(ctx, c, keys, args...)
	}
	want, known := r.want(least)
	if !known {
		s.firstLook(ctx, c, r)
		want, _ = r.want(least)
	}
	for loaded := false; ; loaded = true {
		pipe := c.Pipeline()
		run := script.EvalSha(ctx, pipe, keys, args...)
		wait := pipe.Do(ctx, "wait", want, waitMillis(ctx, want > least))
		info := pipe.Info(ctx, "replication")
		_, _ = pipe.Exec(ctx) // each command has its error
		if redis.HasErrorPrefix(run.Err(), "NOSCRIPT") && !loaded {
			if err := script.Load(ctx, c).Err(); err != nil {
				run.SetErr(err)
				return run
			}
			continue
		}
		if run.Err() != nil {
			return run
		}
		n, err := wait.Int()
		if err == nil {
			err = s.confirmed(ctx, r, n, info)
		}
		if err != nil {
			run.SetErr(err)
		}
		return run
	}
}

// firstLook learns which replicas there are. Without an answer the least
// number must do; the next write looks again.
func (s *Store) firstLook(ctx context.Context, c *redis.Client, r *replicaSet) {
	if text, err := c.Info(ctx, "replication").Result(); err == nil {
		if l, err := parseLook(text); err == nil && l.master {
			r.see(l, 0)
		}
	}
}

// confirmed gives nil when what n replicas have confirmed may be acknowledged.
func (s *Store) confirmed(ctx context.Context, r *replicaSet, n int, info *redis.StringCmd) error {
	text, err := info.Result()
	if redis.HasErrorPrefix(err, "NOPERM") {
		// This user may not ask which replicas are in step.
		s.noInfo.Do(func() {
			s.log.Warn("this user may not call INFO: a failover by hand can lose acknowledged messages", "error", err)
		})
		if n < s.opt.MinReplicas {
			return errFewReplicas
		}
		return nil
	}
	if err != nil {
		return err
	}
	l, err := parseLook(text)
	if err != nil {
		return err
	}
	if !l.master {
		return errReplaced
	}
	missing := r.see(l, n)
	if n < s.opt.MinReplicas {
		return errFewReplicas
	}
	if len(missing) == 0 {
		return nil
	}
	ask, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var asked sync.WaitGroup
	replaced := make([]bool, len(missing))
	for i, addr := range missing {
		asked.Go(func() { replaced[i] = s.isMaster(ask, addr) })
	}
	asked.Wait()
	if ctx.Err() != nil {
		return errFewReplicas // there was no time to ask
	}
	for i, addr := range missing {
		if replaced[i] {
			return fmt.Errorf("%w: %s", errReplaced, addr)
		}
	}
	for _, addr := range missing {
		r.excuse(addr)
	}
	s.log.Warn("replicas have fallen behind or are away", "replicas", missing, "confirmed", n)
	return nil
}

// isMaster asks a Redis that was a replica whether it is a master now. If it
// does not answer, isMaster reports false.
func (s *Store) isMaster(ctx context.Context, addr string) bool {
	c := s.target.one(addr)
	defer c.Close()
	answer, err := c.Do(ctx, "role").Slice()
	return err == nil && len(answer) > 0 && answer[0] == "master"
}

// waitMillis is how long WAIT may take: never 0, which is for ever.
func waitMillis(ctx context.Context, all bool) int64 {
	wait := replicaWait
	if all {
		wait = inStepWait
	}
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)-answerMargin)
	}
	return max(1, wait.Milliseconds())
}
