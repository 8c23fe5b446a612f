package chat

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Service is the use cases of the chat, and the only road to the log: it
// checks what people hand in, groups what they post at the same moment into
// one append, reads back what they may see, and reads the log for live delivery.
//
// A call for a person takes the Principal. The calls that take none (Follow,
// Recent, State) are for the server itself: what they give is shown only
// through a Sight.
//
// It is safe for use by many goroutines. Start starts its own, one for each
// partition, and Topics now and then one that reads the list; Close ends and
// joins them.
type Service struct {
	log     Log
	options Options
	reads   *reads
	topics  *topicList
	writers []*writer

	votes    []*batcher[vote]    // by partition
	whispers []*batcher[whisper] // by partition
	facts    facts

	running sync.WaitGroup
	ctx     context.Context // of the appends; ends when Close has run out of time
	cancel  context.CancelCauseFunc
}

// Options of a Service.
type Options struct {
	// AppendTimeout is when a post, a vote, an ephemeral message is answered at
	// the latest, counted from its arrival: CodeUnavailable, if it is not done.
	AppendTimeout time.Duration
	// SteppedOver is told of each event that a reader steps over, because it
	// is damaged or of a kind that is not Known. It is called from many
	// goroutines, again when the event is read again, and must not block.
	// Nil: nobody is told.
	SteppedOver func(Event)

	// Numbers is what is kept beside the messages of the log. Nil: nothing;
	// then nobody can reply, vote or delete.
	Numbers Numbers
	// Broadcast carries ephemeral messages. Nil: there are none.
	Broadcast Broadcast
	// Changed is told of each change that this process has made, before the
	// one who asked for it is answered. It must not block. Nil: nobody is told.
	Changed func(Change)
	// Owner reports whether who may delete others' messages in a topic: the
	// creator of a room may. Nil: nobody.
	Owner func(who Principal, topic string) bool

	// Holder gives the account that holds an address, "" for none. Such an
	// address is for that account alone. Nil: no address is held.
	Holder func(ctx context.Context, address string) (account string, err error)
	// GuestsRead: guests may read, and neither post nor vote.
	GuestsRead bool
}

// NewService gives a service that has not been started. The log stays the
// caller's to close, after Close.
func NewService(log Log, o Options) *Service {
	s := &Service{log: log, options: o, reads: newReads(log), topics: newTopicList(log)}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	for part := range log.Partitions() {
		s.writers = append(s.writers, newWriter(log, part, o.AppendTimeout))
		s.votes = append(s.votes, newBatcher(o.AppendTimeout,
			func(ctx context.Context, list []vote) { s.countVotes(ctx, part, list) },
			func(v vote, cause error) { v.done(Counted{}, Unavailable(cause)) }))
		s.whispers = append(s.whispers, newBatcher(o.AppendTimeout,
			func(ctx context.Context, list []whisper) { s.sendWhispers(ctx, part, list) },
			func(w whisper, cause error) { w.done(time.Time{}, Unavailable(cause)) }))
	}
	return s
}

// Start starts the writers, once. What was posted before waits until then.
func (s *Service) Start() {
	for _, w := range s.writers {
		s.running.Go(func() { w.run(s.ctx) })
	}
	for part := range s.writers {
		s.running.Go(func() { s.votes[part].run(s.ctx) })
		s.running.Go(func() { s.whispers[part].run(s.ctx) })
	}
}

// closeGrace is how long appends may take to notice that Close gives them up.
const closeGrace = time.Second

// Close answers everything still waiting, then ends the writers. When ctx ends
// first, the appends under way are given up, and what waits is answered
// CodeUnavailable. Posts after Close, or racing it, are answered
// CodeUnavailable. An error says that a log did not give up an append within
// closeGrace; its goroutine ends with the log's Close. Close may be called
// again.
func (s *Service) Close(ctx context.Context) error {
	for _, w := range s.writers {
		w.close()
	}
	for part := range s.writers {
		s.votes[part].close()
		s.whispers[part].close()
	}
	s.topics.close(ctx)
	ended := make(chan struct{})
	go func() { s.running.Wait(); close(ended) }()
	select {
	case <-ended:
		s.cancel(errClosed)
		for _, w := range s.writers {
			w.refuse() // where nobody has called Start
		}
		for part := range s.writers {
			s.votes[part].drain()
			s.whispers[part].drain()
		}
		return nil
	case <-ctx.Done():
	}
	s.cancel(errClosed)
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-ended:
		return nil
	case <-grace.C:
		return fmt.Errorf("end the appends: the log does not give up: %w", context.Cause(ctx))
	}
}

// Partitions is how many partitions the log has.
func (s *Service) Partitions() int { return len(s.writers) }

// Topics lists topics that who sees, also rooms in which nothing was said: at
// most limit, the most recently used first, of those last used before an ID
// (the zero ID: all). next is what to go on after, the zero ID if these are the
// last.
//
// All callers share one list. It has what was posted on this process before the
// call, and what others post a moment after they post it. It is read anew after
// a second or, if that is longer, after many times as long as the reading took;
// until then it still has what retention has removed. While it is read for the
// first time, calls wait. With very many topics ctx may end first; the error is
// CodeUnavailable.
func (s *Service) Topics(ctx context.Context, who Principal, after ID, limit int) (page []TopicInfo, next ID, err error) {
	sight := SightOf(who)
	page, err = s.topics.page(ctx, sight, after, limit+1)
	if err != nil {
		return nil, ID{}, Unavailable(err)
	}
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].Last
	}
	if slices.ContainsFunc(page, func(t TopicInfo) bool { return !public(t.Topic) }) {
		if err := who.Rooms.Check(ctx); err != nil { // see recheck
			return nil, ID{}, AsError(err)
		}
		page = slices.DeleteFunc(page, func(t TopicInfo) bool { return !sight.Sees(t.Topic) })
	}
	return page, next, nil
}
