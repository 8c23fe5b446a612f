package redisstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// A failed operation is tried again until the outage, counted from the
	// first failure, is this old. Then errors are given at once, after one
	// try, until Redis answers: nobody waits for a Redis that is plainly away.
	//
	// One Redis that restarts on the same machine is back within a second or
	// not soon. Sentinel and Cluster need 2 to 3 s to find a new master
	// (measured, with the down-after-milliseconds 1000 that the manifest sets).
	patienceSingle = time.Second
	patienceHA     = 4 * time.Second

	// tryTimeout bounds one try: a connection, the script, and the wait for a
	// replica. A server that hangs, or was cut off, is noticed by this alone.
	tryTimeout = dialTimeout + replicaWait + 500*time.Millisecond
	// tryTimeoutAway bounds the one try while Redis is known to be away.
	tryTimeoutAway = time.Second
	// tryLeast must be left of a deadline for another try to be of use: else
	// its time-out would only hide why the one before failed.
	tryLeast = 2 * answerMargin

	// Between tries.
	backoffFirst, backoffMost = 20 * time.Millisecond, 250 * time.Millisecond
)

// outage remembers since when something has failed. It starts with the first
// failure and ends with the next success.
type outage struct {
	mu    sync.Mutex
	since time.Time // zero: it works
}

func (o *outage) age(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return 0
	}
	return now.Sub(o.since)
}

// failed notes a failure of what was begun at start, and whether it is the first.
func (o *outage) failed(start time.Time) (first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if first = o.since.IsZero(); first {
		o.since = start
	}
	return first
}

// works notes a success, and gives how long the outage was.
func (o *outage) works() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return 0
	}
	d := time.Since(o.since)
	o.since = time.Time{}
	return d
}

func (s *Store) patience() time.Duration {
	if s.form == formSingle {
		return patienceSingle
	}
	return patienceHA
}

// try runs op on the Redis that holds key, and again while the failure may
// pass and the outage is young. op must bear being run again after a run
// whose outcome is unknown: all of ours do, appends by their keys.
func (s *Store) try(ctx context.Context, at nodes, away *outage, key string, op func(context.Context, *redis.Client) error) error {
	for pause := backoffFirst; ; pause = min(2*pause, backoffMost) {
		start := time.Now()
		limit := tryTimeout
		if away.age(start) > s.patience() {
			limit = tryTimeoutAway
		}
		err := withoutHosts(s.tryOnce(ctx, limit, at, key, op))
		if err == nil || !passing(err) {
			if d := away.works(); d > 0 { // it answers, if only to refuse
				s.log.Info("redis answers again", "key", key, "after", d.Round(time.Millisecond))
			}
			return err
		}
		if ctx.Err() != nil {
			// Whose fault it was is not known; a deadline shorter than a try
			// says nothing about Redis.
			return errors.Join(context.Cause(ctx), err)
		}
		if away.failed(start) {
			s.log.Warn("redis does not answer", "key", key, "error", err)
		}
		at.suspect(ctx)
		if away.age(time.Now())+pause > s.patience() {
			return err
		}
		if end, ok := ctx.Deadline(); ok && time.Until(end) < pause+tryLeast {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

func (s *Store) tryOnce(ctx context.Context, limit time.Duration, at nodes, key string, op func(context.Context, *redis.Client) error) error {
	if s.ctx.Err() != nil {
		return errClosed
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := at.node(ctx, key)
	if err != nil {
		return err
	}
	return op(ctx, c)
}

// passing reports whether an error may be gone at the next try: the network's,
// and those of a Redis that starts, fails over or lacks its replicas.
func passing(err error) bool {
	if errors.Is(err, errClosed) || errors.Is(err, redis.ErrClosed) {
		return false
	}
	if _, ours := errors.AsType[*errPartitions](err); ours {
		return false
	}
	if _, ours := errors.AsType[*formError](err); ours {
		return false
	}
	if _, said := errors.AsType[redis.Error](err); !said {
		return true
	}
	for _, prefix := range [...]string{
		"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS",
		"MOVED", "ASK", "UNBLOCKED", "NOSCRIPT", "max number of clients",
	} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}
