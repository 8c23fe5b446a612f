package chat

import (
	"sync"
	"time"
)

// fact is what votes, replies and deletions need to know of a message. It
// never changes, so it is remembered for a while.
type fact struct {
	topic, account string
	until          time.Time
}

// facts remembers the facts of messages for factMemory. It is safe for use by
// many goroutines.
type facts struct {
	mu sync.Mutex
	by map[ID]fact
}

const (
	// factMemory bounds how long a message counts as there although retention
	// has removed it, or the log has lost it. The store refuses votes and
	// replies to it all the same.
	factMemory = 5 * time.Second
	maxFacts   = 4096
)

func (f *facts) get(id ID) (fact, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, ok := f.by[id]
	return found, ok && time.Now().Before(found.until)
}

func (f *facts) put(id ID, found fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil || len(f.by) >= maxFacts {
		f.by = map[ID]fact{}
	}
	found.until = time.Now().Add(factMemory)
	f.by[id] = found
}

func (f *facts) forget(id ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.by, id)
}
