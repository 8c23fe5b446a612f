package redisstore

import (
	"sync"
	"time"

	"chatapp/chat/internal/trouble"
)

// outage remembers since when an access to a place has failed. It starts with
// the first failure and ends with the next success. Redis may refuse writes
// while it answers reads, so reads and writes have an outage each.
type outage struct {
	place  string // as the log and readyz call it
	access trouble.Access

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

// failed notes a failure of what was begun at start.
func (o *outage) failed(start time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = start
	}
}

// ends notes that there is an answer.
func (o *outage) ends() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = time.Time{}
}
