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
	refuse  func(item T, cause error)            // answers one that will not be called for

	mu     sync.Mutex
	queue  []T
	closed bool
	wake   chan struct{} // capacity 1: "the queue is not empty, or closed"
}

// maxWaiting is how many items may wait in one batcher.
const maxWaiting = 50_000

func newBatcher[T any](timeout time.Duration, call func(context.Context, []T), refuse func(T, error)) *batcher[T] {
	return &batcher[T]{timeout: timeout, call: call, refuse: refuse, wake: make(chan struct{}, 1)}
}

func (b *batcher[T]) add(item T) {
	b.mu.Lock()
	full := b.closed || len(b.queue) >= maxWaiting
	if !full {
		b.queue = append(b.queue, item)
	}
	b.mu.Unlock()
	if full {
		b.refuse(item, nil)
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
	default: // it will look anyway
	}
}

// run calls until the batcher is closed and its queue is empty. When ctx ends,
// what waits is refused.
func (b *batcher[T]) run(ctx context.Context) {
	for range b.wake {
		for {
			items, closed := b.take()
			if len(items) == 0 {
				if closed {
					return
				}
				break
			}
			if ctx.Err() != nil {
				for _, item := range items {
					b.refuse(item, context.Cause(ctx))
				}
				continue
			}
			call, cancel := context.WithTimeout(ctx, b.timeout)
			b.call(call, items)
			cancel()
		}
	}
}

// drain refuses what is still in the queue, where nobody has called run.
func (b *batcher[T]) drain() {
	for items, _ := b.take(); len(items) > 0; items, _ = b.take() {
		for _, item := range items {
			b.refuse(item, errClosed)
		}
	}
}

func (b *batcher[T]) take() (items []T, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(b.queue), MaxBatch)
	items, b.queue = b.queue[:n:n], b.queue[n:]
	if len(b.queue) == 0 {
		b.queue = nil
	}
	return items, b.closed
}
