package chat

import (
	"context"
	"sync"
	"time"
)

// writer is the group commit of one partition: what arrives while an append
// is under way goes together into the next one. When idle it adds no wait: a
// lone post is appended at once. Each post is answered within timeout of its
// arrival, however many are before it. Answers come in the order of arrival.
type writer struct {
	log     Log
	part    int
	timeout time.Duration

	mu     sync.Mutex
	queue  []pending
	bytes  int
	closed bool
	wake   chan struct{} // capacity 1: "the queue is not empty, or closed"
}

type pending struct {
	draft Draft
	kind  Kind      // 0: a message
	end   time.Time // when it is answered at the latest; add sets it
	done  func(Message, bool, error)
}

const (
	// maxQueued bounds what waits for one partition, in bytes of drafts. At
	// 16 KiB, the largest draft, that is 2,000 messages; at 200 B, 160,000.
	maxQueued = 32 << 20
	// leastShare of a post's time, as a divisor, must be left for it to be tried.
	leastShare = 8
	// maxBatchBytes bounds one append, so that one script call stays short.
	maxBatchBytes = 1 << 20
)

func newWriter(log Log, part int, timeout time.Duration) *writer {
	return &writer{log: log, part: part, timeout: timeout, wake: make(chan struct{}, 1)}
}

func (w *writer) add(p pending) {
	p.end = time.Now().Add(w.timeout)
	w.mu.Lock()
	var refused error
	switch {
	case w.closed:
		refused = errClosed
	case w.bytes > maxQueued:
		refused = errQueueFull
	default:
		w.queue = append(w.queue, p)
		w.bytes += p.draft.Size()
	}
	w.mu.Unlock()
	if refused != nil {
		p.done(Message{}, false, Unavailable(refused))
		return
	}
	w.signal()
}

func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // run is woken already
	}
}

// run appends until the writer is closed and its queue is empty.
func (w *writer) run(ctx context.Context) {
	for range w.wake {
		for {
			batch, closed := w.take()
			if len(batch) == 0 {
				if closed {
					return
				}
				break
			}
			w.append(ctx, batch)
		}
	}
}

// take removes the next batch from the queue.
func (w *writer) take() (batch []pending, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, size := 0, 0
	for n < len(w.queue) && n < MaxBatch && (n == 0 || size+w.queue[n].draft.Size() <= maxBatchBytes) {
		size += w.queue[n].draft.Size()
		n++
	}
	batch, w.queue = w.queue[:n:n], w.queue[n:]
	w.bytes -= size
	return batch, w.closed
}

// refuse answers what is still in the queue.
func (w *writer) refuse() {
	for batch, _ := w.take(); len(batch) > 0; batch, _ = w.take() {
		answer(batch, nil, errClosed)
	}
}

func (w *writer) append(ctx context.Context, batch []pending) {
	if ctx.Err() != nil {
		answer(batch, nil, context.Cause(ctx))
		return
	}
	// A post with little time left is refused before its time is over: the
	// append ends with the time of its first post, which would then be too
	// short for the others.
	late, soon := 0, time.Now().Add(w.timeout/leastShare)
	for late < len(batch) && batch[late].end.Before(soon) {
		late++
	}
	answer(batch[:late], nil, context.DeadlineExceeded)
	if batch = batch[late:]; len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, batch[0].end) // the first has come first
	defer cancel()
	events := make([]Event, len(batch))
	for i, p := range batch {
		events[i] = NewEvent(p.draft)
		if p.kind != 0 {
			events[i].Kind = p.kind
		}
	}
	results, err := w.log.Append(ctx, w.part, events)
	answer(batch, results, err)
}

func answer(batch []pending, results []Appended, err error) {
	for i, p := range batch {
		if err != nil {
			p.done(Message{}, false, Unavailable(err))
			continue
		}
		if results[i].Refused {
			p.done(Message{}, false, noParent())
			continue
		}
		p.done(Message{ID: results[i].ID, Draft: p.draft}, results[i].Duplicate, nil)
	}
}
