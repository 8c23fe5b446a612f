package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

const (
	// ageSteps and byteSteps: marks are set at least this often within the
	// age and the bytes to keep, so that a slow log is cut in fair lumps too.
	ageSteps, byteSteps = 16, 16
)

// share is a partition's part of a limit; 0 is no limit. The parts are equal,
// so that no partition needs to know of another: a log of 16 partitions whose
// posts all go to one topic keeps a 16th of the limit.
func (s *Store) share(limit int64) int64 {
	if limit == 0 {
		return 0
	}
	return max(1, limit/int64(len(s.parts)))
}

// stepArgs is when a mark is due, as lua/append.lua takes it.
func (s *Store) stepArgs() [3]any {
	r := s.opt.Retention
	if r == (chat.Retention{}) {
		return [3]any{0, 0, 0} // nothing will ever be cut
	}
	var bytes, age int64
	if r.Bytes > 0 {
		bytes = max(1, s.share(r.Bytes)/byteSteps)
	}
	if r.Age > 0 {
		age = max(1, r.Age.Milliseconds()/ageSteps)
	}
	return [3]any{r.Step(len(s.parts)), bytes, age}
}

// keepTidy is the store's goroutine: it runs lua/retain.lua on a partition
// when an append of this process has set a mark there, and on all of them
// from time to time. Several processes doing so do no harm.
func (s *Store) keepTidy() {
	tick := time.NewTicker(s.tidyPeriod())
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case n := <-s.marked:
			s.retain(s.parts[n])
		case <-tick.C:
			for _, p := range s.parts {
				s.retain(p)
			}
		}
	}
}

// retain forgets what is due in a partition. Without Redis it gives up: the
// next mark or tick comes.
func (s *Store) retain(p *partition) {
	r := s.opt.Retention
	for more := 1; more == 1 && s.ctx.Err() == nil; {
		var found []int64
		err := s.try(s.ctx, s.cmd, &p.tidy, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
			found, err = retainScript.Run(ctx, c, p.keys.all,
				s.share(r.Messages), s.share(r.Bytes), r.Age.Milliseconds(), keyPeriod.Milliseconds(),
				s.share(s.memory.budget())).Int64Slice()
			if err == nil && len(found) != 4 {
				err = errAnswer("the answer of retain.lua")
			}
			return err
		})
		if err != nil {
			return // try has logged it
		}
		more = int(found[0])
		s.memory.used(p.n, use{all: found[1], keys: found[2], cut: found[3] == 1})
	}
	s.forget(p)
}

// tidyPeriod is how often retention looks at the log without being told of a
// mark: so that age and the memory of keys end also while nobody posts.
func (s *Store) tidyPeriod() time.Duration {
	const most, least = time.Minute, 250 * time.Millisecond
	if age := s.opt.Retention.Age; age > 0 {
		return max(least, min(most, age/ageSteps))
	}
	return most
}
