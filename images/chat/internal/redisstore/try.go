package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// A failed operation is tried again until the outage, counted from the
	// first failure, is this old. Then errors are given at once, after one try,
	// until Redis answers: nobody waits long for a Redis that is away.
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

	// maxRedirects is how often one try follows where a Cluster sends it.
	maxRedirects = 2

	// Between tries.
	backoffFirst, backoffMost = 20 * time.Millisecond, 250 * time.Millisecond
)

func (s *Store) patience() time.Duration {
	if s.form == formSingle {
		return patienceSingle
	}
	return patienceHA
}

// try runs op on the Redis that holds key, and again while the failure may pass
// and the outage is young. op may be run again after a run whose outcome is
// unknown. All of ours allow that; appends do by their keys.
func (s *Store) try(ctx context.Context, at nodes, away *outage, key string, op func(context.Context, *redis.Client) error) error {
	err := s.attempt(ctx, at, away, key, op)
	if err == nil {
		s.trouble.Works(away.place, away.access)
	}
	return err
}

// attempt is try for what may succeed although such accesses are in trouble.
func (s *Store) attempt(ctx context.Context, at nodes, away *outage, key string, op func(context.Context, *redis.Client) error) error {
	for pause := backoffFirst; ; pause = min(2*pause, backoffMost) {
		start := time.Now()
		limit := tryTimeout
		if away.age(start) > s.patience() {
			limit = tryTimeoutAway
		}
		err := withoutHosts(s.tryOnce(ctx, limit, at, key, op))
		if err == nil {
			away.ends()
			return nil
		}
		if errors.Is(err, errClosed) || errors.Is(err, redis.ErrClosed) {
			return err
		}
		if ctx.Err() != nil && !answered(err) {
			// It is not known what failed: a deadline shorter than a try says
			// nothing about Redis.
			return errors.Join(context.Cause(ctx), err)
		}
		cause := causeOf(err)
		s.trouble.Failed(away.place, away.access, cause, err)
		err = &failure{error: err, cause: cause}
		if !passing(err) {
			away.ends() // it answers, if only to refuse: there is nothing to wait for
			return err
		}
		away.failed(start)
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
	err = op(ctx, c)
	for range maxRedirects {
		other := at.follow(c, err)
		if other == nil {
			break
		}
		if redis.HasErrorPrefix(err, "ASK") {
			if err = s.arrived(ctx, other, key); err != nil {
				return err
			}
		}
		c = other
		err = op(ctx, c)
	}
	return err
}

// arrived gives nil if all keys that belong to a key have come to the Redis
// that its slot is moving to. About a key that has not come yet, that Redis
// would say that it does not exist.
func (s *Store) arrived(ctx context.Context, c *redis.Client, key string) error {
	switch key {
	case s.keys.partitions, s.keys.presence: // one key, or all are named
		return nil
	}
	for _, p := range s.parts {
		if key == p.keys.log || key == p.keys.meta {
			return c.Exists(ctx, p.keys.plant...).Err() // TRYAGAIN, if one has not come
		}
	}
	return errMoving // the directory's keys are not known by name
}
