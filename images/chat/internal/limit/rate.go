// Package limit says how much one client may ask for: how often, and how many
// bytes may wait for it. Sockets and HTTP use the same limits.
package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"chatapp/chat/internal/chat"
)

// Rate is how often something may happen.
type Rate struct {
	PerSecond float64 // 0: no limit
	Burst     int     // how many may come at once; less than 1 counts as 1
}

// Bucket holds what one client has left of a Rate. The zero value is full and
// takes no memory beyond itself until the first Take. It is safe for use by
// many goroutines.
type Bucket struct {
	mu     sync.Mutex
	tokens *rate.Limiter
}

// Take counts one event and returns 0, or counts nothing and returns how long
// the client has to wait. All calls on one bucket give the same rate.
func (b *Bucket) Take(r Rate) (wait time.Duration) {
	if r.PerSecond <= 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens == nil {
		b.tokens = rate.NewLimiter(rate.Limit(r.PerSecond), max(1, r.Burst))
	}
	taken := b.tokens.Reserve()
	if wait = taken.Delay(); wait > 0 {
		taken.Cancel()
	}
	return wait
}

// full reports whether the client has its whole burst again.
func (b *Bucket) full(r Rate) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens == nil || b.tokens.Tokens() >= float64(max(1, r.Burst))
}

// TooFast is the answer to a post over the limit.
func TooFast(wait time.Duration) *chat.Error {
	return &chat.Error{
		Code: chat.CodeRateLimited, Message: "too many posts: wait a moment, then send it again with the same key",
		RetryAfter: wait,
	}
}

// TooMany is the answer to a read over the limit.
func TooMany(wait time.Duration) *chat.Error {
	return &chat.Error{
		Code: chat.CodeRateLimited, Message: "too many questions: wait a moment, then ask again",
		RetryAfter: wait,
	}
}
