package localstore

import (
	"sync"
	"time"

	"chatapp/chat/internal/chat"
)

// ears are the listeners for ephemeral messages. All are in this process. They
// are safe for use by many goroutines.
type ears struct {
	mu   sync.Mutex // held while they are told, so that the order is kept
	next int
	by   map[int]func(part int, list []chat.Ephemeral)
}

// tell hands drafts of a partition to all who listen, and gives the time of each.
func (e *ears) tell(part int, drafts []chat.Draft, clock func() time.Time) []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.UnixMilli(clock().UnixMilli()).UTC()
	times := make([]time.Time, len(drafts))
	list := make([]chat.Ephemeral, len(drafts))
	for i, d := range drafts {
		times[i], list[i] = now, chat.Ephemeral{Draft: d, At: now}
	}
	for _, take := range e.by {
		take(part, list)
	}
	return times
}

// add has take told from now on, until remove is called.
func (e *ears) add(take func(part int, list []chat.Ephemeral)) (remove func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	me := e.next
	e.next++
	if e.by == nil {
		e.by = map[int]func(int, []chat.Ephemeral){}
	}
	e.by[me] = take
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.by, me)
	}
}
