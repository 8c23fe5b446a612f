package chat

import (
	"context"
	"slices"
	"sync"
)

// reads asks the log for its past: a bounded number of questions at a time in
// each partition. So the questions take a bounded amount of memory, and of the
// log's time, however many people ask. Callers that wait with the same question
// share the answer.
type reads struct {
	log   Log
	slots []chan struct{} // by partition; what is in it is under way

	mu      sync.Mutex
	waiting map[question]*pastAnswer // questions that have not been asked yet
}

// question is the arguments of Log.Before.
type question struct {
	part   int
	topic  string
	before Pos
	max    int
}

type pastAnswer struct {
	done   chan struct{}
	events []Event
	err    error
	given  bool // up, by the one who was to ask; valid when done is closed
	shared bool // others wait for it, too
}

// readsAtATime is how many questions about the past are under way in a log of
// few partitions, and leastReads in each partition of one of many.
const (
	readsAtATime = 8
	leastReads   = 2
)

func newReads(log Log) *reads {
	r := &reads{log: log, slots: make([]chan struct{}, log.Partitions()), waiting: map[question]*pastAnswer{}}
	for part := range r.slots {
		r.slots[part] = make(chan struct{}, max(leastReads, readsAtATime/len(r.slots)))
	}
	return r
}

// enter waits for a slot of a partition; leave gives it back.
func (r *reads) enter(ctx context.Context, part int) error {
	select {
	case r.slots[part] <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *reads) leave(part int) { <-r.slots[part] }

// before is Log.Before. The question is asked of the log after the call came,
// so the answer has what was acknowledged before it.
func (r *reads) before(ctx context.Context, q question) ([]Event, error) {
	for {
		r.mu.Lock()
		theirs := r.waiting[q]
		if theirs == nil {
			mine := &pastAnswer{done: make(chan struct{})}
			r.waiting[q] = mine
			r.mu.Unlock()
			return r.ask(ctx, q, mine)
		}
		theirs.shared = true
		r.mu.Unlock()
		select {
		case <-theirs.done:
			if !theirs.given {
				return slices.Clone(theirs.events), theirs.err // readers change what they get
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (r *reads) ask(ctx context.Context, q question, mine *pastAnswer) ([]Event, error) {
	defer close(mine.done)
	err := r.enter(ctx, q.part)
	r.mu.Lock()
	delete(r.waiting, q) // who comes later asks anew
	r.mu.Unlock()
	if err != nil {
		mine.given = true
		return nil, err
	}
	defer r.leave(q.part)
	events, err := r.log.Before(ctx, q.part, q.topic, q.before, q.max)
	if mine.shared {
		mine.events, mine.err, mine.given = slices.Clone(events), err, err != nil && ctx.Err() != nil
	}
	return events, err
}
