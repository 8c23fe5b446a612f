package chat

import (
	"context"
	"sync"
	"time"
)

// batcher groups what arrives while a call is under way into the next call:
// the group commit of votes, and of ephemeral messages. One goroutine (run)
// makes the calls, so they keep the order of arrival. Every item is answered.
type batcher[T any] struct {
	timeout time.Duration
	call    func(ctx context.Context, items []T) // answers them all
	refuse  func(item T, cause error)            // answers one for which call is not made

	mu     sync.Mutex
	queue  []waiting[T]
	closed bool
	wake   chan struct{} // capacity 1: "the queue is not empty, or closed"
}

// waiting is an item in a queue.
type waiting[T any] struct {
	item T
	end  time.Time // when it is answered at the latest
}

// maxWaiting is how many items may wait in one batcher.
const maxWaiting = 50_000

func newBatcher[T any](timeout time.Duration, call func(context.Context, []T), refuse func(T, error)) *batcher[T] {
	return &batcher[T]{timeout: timeout, call: call, refuse: refuse, wake: make(chan struct{}, 1)}
}

func (b *batcher[T]) add(item T) {
	b.mu.Lock()
	var refused error
	switch {
	case b.closed:
		refused = errClosed
	case len(b.queue) >= maxWaiting:
		refused = errQueueFull
	default:
		b.queue = append(b.queue, waiting[T]{item, time.Now().Add(b.timeout)})
	}
	b.mu.Unlock()
	if refused != nil {
		b.refuse(item, refused)
		return
	}
	b.signal()
}

func (b *batcher[T]) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
}

func (b *batcher[T]) signal() {
	select {
	case b.wake <- struct{}{}:
	default: // run is woken already
	}
}

// run calls until the batcher is closed and its queue is empty. When ctx ends,
// what waits is refused.
func (b *batcher[T]) run(ctx context.Context) {
	for range b.wake {
		for {
			batch, closed := b.take()
			if len(batch) == 0 {
				if closed {
					return
				}
				break
			}
			if ctx.Err() != nil {
				for _, w := range batch {
					b.refuse(w.item, context.Cause(ctx))
				}
				continue
			}
			b.callFor(ctx, batch)
		}
	}
}

// callFor makes the call for the items that have time left. The others are
// refused, as in writer.append.
func (b *batcher[T]) callFor(ctx context.Context, batch []waiting[T]) {
	soon := time.Now().Add(b.timeout / leastShare)
	var items []T
	var end time.Time
	for _, w := range batch {
		if w.end.Before(soon) {
			b.refuse(w.item, context.DeadlineExceeded)
			continue
		}
		if len(items) == 0 {
			end = w.end
		}
		items = append(items, w.item)
	}
	if len(items) == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	b.call(ctx, items)
}

// drain refuses what is still in the queue. Where nobody has called run, that
// is everything.
func (b *batcher[T]) drain() {
	for batch, _ := b.take(); len(batch) > 0; batch, _ = b.take() {
		for _, w := range batch {
			b.refuse(w.item, errClosed)
		}
	}
}

func (b *batcher[T]) take() (batch []waiting[T], closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.queue), MaxBatch)
	batch, b.queue = b.queue[:n:n], b.queue[n:]
	if len(b.queue) == 0 {
		b.queue = nil
	}
	return batch, b.closed
}

type vote struct {
	ballot Ballot
	done   func(Counted, error)
}

type whisper struct {
	draft Draft
	done  func(time.Time, error)
}
