package feed

import (
	"context"
	"errors"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
)

// callWait bounds one call to the log beside the tails.
const callWait = 3 * time.Second

// standing is where the log stands: the answer to one question.
type standing struct {
	epoch  uint64       // of the whole log
	states []chat.State // by partition
	known  []bool       // likewise: it has answered, now or before
}

// asker lets calls that overlap share the next answer. A caller never gets one
// that was asked for before it came, which might be too old.
type asker struct {
	ask  func(ctx context.Context) (standing, error)
	poke chan struct{} // capacity 1: somebody waits for next

	mu    sync.Mutex
	next  *answer // to be asked for when the one under way is there
	ended bool
}

type answer struct {
	done     chan struct{}
	standing standing
	err      error
}

var errEnded = errors.New("the feed has ended")

func newAsker(ask func(context.Context) (standing, error)) *asker {
	return &asker{ask: ask, poke: make(chan struct{}, 1)}
}

// do gives an answer that was asked for after the call came.
func (a *asker) do(ctx context.Context) (standing, error) {
	a.mu.Lock()
	if a.ended {
		a.mu.Unlock()
		return standing{}, errEnded
	}
	if a.next == nil {
		a.next = &answer{done: make(chan struct{})}
		a.poke <- struct{}{} // run has emptied it: next was nil
	}
	mine := a.next
	a.mu.Unlock()
	select {
	case <-mine.done:
		return mine.standing, mine.err
	case <-ctx.Done():
		return standing{}, context.Cause(ctx)
	}
}

// run asks whenever somebody waits, until ctx ends. Whoever waits then, and
// whoever comes later, gets errEnded.
func (a *asker) run(ctx context.Context) {
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.ended = true
		if a.next != nil {
			a.next.err = errEnded
			close(a.next.done)
			a.next = nil
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.poke:
		}
		a.mu.Lock()
		mine := a.next
		a.next = nil
		a.mu.Unlock()
		call, cancel := context.WithTimeout(ctx, callWait)
		mine.standing, mine.err = a.ask(call)
		cancel()
		close(mine.done)
	}
}
