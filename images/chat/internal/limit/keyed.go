package limit

import (
	"sync"
	"time"
)

// Keyed holds a Bucket for each of many clients, named by a key: an address,
// say. Its memory is bounded. It is safe for use by many goroutines.
type Keyed struct {
	rate Rate

	mu      sync.Mutex
	buckets map[string]*Bucket
}

// maxKeys is how many clients are remembered. At that number, those that have
// their whole burst again are forgotten, which changes nothing for them.
const maxKeys = 10_000

// NewKeyed makes the buckets of one rate.
func NewKeyed(r Rate) *Keyed {
	return &Keyed{rate: r, buckets: map[string]*Bucket{}}
}

// Take counts one event of the client that key names, or returns how long it
// has to wait. Nil has no limit.
func (k *Keyed) Take(key string) (wait time.Duration) {
	if k == nil || k.rate.PerSecond <= 0 {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.buckets[key]
	if b == nil {
		if len(k.buckets) >= maxKeys {
			k.forget()
		}
		b = &Bucket{}
		k.buckets[key] = b
	}
	return b.Take(k.rate)
}

func (k *Keyed) forget() {
	for key, b := range k.buckets {
		if b.full(k.rate) {
			delete(k.buckets, key)
		}
	}
	if len(k.buckets) >= maxKeys { // a flood of keys: forget all rather than grow
		clear(k.buckets)
	}
}
