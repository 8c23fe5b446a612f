package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Service is the use cases of the chat, and the only road to the log: it
// checks what people hand in, groups what they post at the same moment into
// one append, reads back what they may see, and feeds the live side.
//
// A call for a person takes the Principal. The calls that take none (Follow,
// Recent, State) are for the server itself: what they give is shown to nobody
// but through a Sight.
//
// It is safe for use by many goroutines. Start starts its own, one for each
// partition; Close ends and joins them.
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

// MaxHistory is the most messages that one call of History gives.
const MaxHistory = 200

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

var errClosed = errors.New("the server is closing")

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

// Post appends what sender hands in and returns once it is durable. Invalid
// drafts give CodeBadMessage, topics that sender does not see CodeNotFound; a
// log that cannot be reached CodeUnavailable.
func (s *Service) Post(ctx context.Context, sender Principal, d Draft) (Message, bool, error) {
	type outcome struct {
		msg       Message
		duplicate bool
		err       error
	}
	ch := make(chan outcome, 1)
	s.PostFunc(sender, d, func(msg Message, duplicate bool, err error) { ch <- outcome{msg, duplicate, err} })
	select {
	case o := <-ch:
		if o.err != nil {
			return Message{}, false, o.err
		}
		if o.duplicate {
			m, err := s.original(ctx, sender, o.msg)
			return m, true, err
		}
		return o.msg, false, nil
	case <-ctx.Done():
		return Message{}, false, Unavailable(context.Cause(ctx))
	}
}

// PostFunc is Post without waiting: done is called exactly once, either before
// PostFunc returns (a bad draft, a full queue) or from the writer's goroutine,
// so it must not block. A session's posts get their answers in order. For a
// duplicate, only the ID of the message given to done is the original's. For a
// reply, PostFunc itself may wait for the log, for as long as an append.
func (s *Service) PostFunc(sender Principal, d Draft, done func(msg Message, duplicate bool, err error)) {
	d, err := s.clean(sender, d)
	if err == nil && d.ReplyTo != (ID{}) {
		var id ID
		var repeated bool
		if id, repeated, err = s.checkReply(sender, d); repeated {
			done(Message{ID: id, Draft: d}, true, nil)
			return
		}
	}
	if err != nil {
		done(Message{}, false, err)
		return
	}
	s.writers[PartitionOf(d.Topic, len(s.writers))].add(pending{draft: d, done: func(m Message, duplicate bool, err error) {
		if err == nil && !duplicate {
			s.topics.said(m.ID)
		}
		done(m, duplicate, err)
	}})
}

// clean checks who posts what and where, and gives the draft as it is kept.
func (s *Service) clean(sender Principal, d Draft) (Draft, error) {
	if sender.SignedIn() {
		var err error
		if d.Name, d.Email, err = s.speaker(sender, d.Name, d.Email); err != nil {
			return d, err
		}
	}
	d.Account = sender.Account
	d, err := d.Clean()
	switch {
	case err != nil:
		return d, err
	case !s.Sight(sender).Sees(d.Topic):
		return d, noTopic()
	case sender.SignedIn():
		return d, nil
	}
	return d, s.admitGuest(d.Email)
}

// original reads the message that a repeated key names. If it is no longer
// there, the repeated draft under the original's id is the best answer left.
func (s *Service) original(ctx context.Context, sender Principal, m Message) (Message, error) {
	found, err := s.log.Before(ctx, int(m.ID.Part), "", m.ID.Next(), 1)
	if err != nil {
		return Message{}, Unavailable(err) // it may be deleted: nothing is given on trust
	}
	if len(found) == 0 || found[0].ID != m.ID || !found[0].Kind.IsMessage() || !s.Sight(sender).Sees(found[0].Draft.Topic) {
		return m, nil
	}
	messages := []Message{found[0].Message()}
	if err := s.dress(ctx, sender, messages); err != nil {
		return Message{}, Unavailable(err)
	}
	return messages[0], nil
}

// known takes out, in place, what a reader steps over.
func (s *Service) known(events []Event) []Event {
	return slices.DeleteFunc(events, func(e Event) bool {
		if e.Kind.Known() {
			return false
		}
		if s.options.SteppedOver != nil {
			s.options.SteppedOver(e)
		}
		return true
	})
}

// spoken is known, without the events that are no messages.
func (s *Service) spoken(events []Event) []Event {
	return slices.DeleteFunc(s.known(events), func(e Event) bool { return !e.Kind.IsMessage() })
}

// ErrOvertaken says that retention has removed events that a reader had still
// to read.
var ErrOvertaken = errors.New("retention has removed what was to be read next")

// Since gives about max messages of the topics in one partition that come
// after a position, oldest first, and the position that they reach to. It is
// for whoever must miss nothing: when retention may have removed some of them,
// the error is ErrOvertaken.
func (s *Service) Since(ctx context.Context, who Principal, topics TopicSet, part int, after Pos, max int) ([]Message, Pos, error) {
	if err := s.reads.enter(ctx, part); err != nil {
		return nil, after, Unavailable(err)
	}
	defer s.reads.leave(part)
	batch, err := s.follow(ctx, part, after, max, 0)
	if err != nil {
		return nil, after, Unavailable(err)
	}
	state, err := s.State(ctx, part) // after reading: retention does not wait
	if err != nil {
		return nil, after, Unavailable(err)
	}
	if after.Compare(state.Floor) < 0 {
		return nil, after, ErrOvertaken
	}
	sight := s.Sight(who)
	var found []Message
	for _, e := range batch.Events {
		if e.Kind.IsMessage() && topics.Has(e.Draft.Topic) && sight.Sees(e.Draft.Topic) {
			found = append(found, e.Message())
		}
	}
	if found, err = recheck(ctx, who, found); err != nil {
		return nil, after, err
	}
	if err := s.dress(ctx, who, found); err != nil {
		return nil, after, Unavailable(err)
	}
	return found, batch.Through, nil
}

// NothingSince reports whether the topics have no event in one partition after
// a position, without reading any. That retention has removed some is
// ErrOvertaken, as in Since.
func (s *Service) NothingSince(ctx context.Context, topics TopicSet, part int, after Pos) (bool, error) {
	if topics.All {
		return false, nil
	}
	if names := topics.inPartition(part, s.Partitions()); len(names) > 0 {
		last, err := s.log.Last(ctx, part, names)
		if err != nil {
			return false, Unavailable(err)
		}
		if slices.ContainsFunc(last, func(p Pos) bool { return p.Compare(after) > 0 }) {
			return false, nil
		}
	}
	state, err := s.State(ctx, part) // after the question: retention does not wait
	switch {
	case err != nil:
		return false, Unavailable(err)
	case after.Compare(state.Floor) < 0:
		return false, ErrOvertaken
	}
	return true, nil
}

// Topics gives at most limit topics that who sees, the most recently used
// first, of those last used before an ID (the zero ID: all); and what to go on
// after, the zero ID if these are the last.
//
// All callers share one list. It has what was posted on this process before
// the call, what others have posted soon after, and lacks what retention has
// removed in time: within a second of a call, or as long as the list takes to
// make, many times over.
func (s *Service) Topics(ctx context.Context, who Principal, after ID, limit int) (page []TopicInfo, next ID, err error) {
	sight := s.Sight(who)
	page, err = s.topics.page(ctx, sight, after, limit+1)
	if err != nil {
		return nil, ID{}, Unavailable(err)
	}
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].Last
	}
	if slices.ContainsFunc(page, func(t TopicInfo) bool { return IsRoom(t.Topic) }) {
		if err := who.Rooms.Check(ctx); err != nil { // as recheck: only now
			return nil, ID{}, AsError(err)
		}
		page = slices.DeleteFunc(page, func(t TopicInfo) bool { return !sight.Sees(t.Topic) })
	}
	return page, next, nil
}

// Follow is Log.Read without the events that this version steps over: all of
// those in Events are Known. The server's tails follow each partition so, and
// nobody else: what they read keeps the list of topics new.
func (s *Service) Follow(ctx context.Context, part int, after Pos, max int, wait time.Duration) (Batch, error) {
	batch, err := s.follow(ctx, part, after, max, wait)
	s.topics.heard(part, batch)
	return batch, err
}

func (s *Service) follow(ctx context.Context, part int, after Pos, max int, wait time.Duration) (Batch, error) {
	batch, err := s.log.Read(ctx, part, after, max, wait)
	batch.Events = s.known(batch.Events)
	return batch, err
}

// Recent gives the end of a partition that is in this state: about max events
// at the most, all of them Known, and none is missing after Batch.After.
func (s *Service) Recent(ctx context.Context, part int, state State, max int) (Batch, error) {
	events, err := s.log.Before(ctx, part, "", state.Head.Next(), max)
	if err != nil {
		return Batch{}, err
	}
	batch := Batch{After: state.Floor, Events: events, Through: state.Floor}
	if len(events) > 0 {
		batch.Through = events[len(events)-1].ID.Pos
	}
	if len(events) == max { // there may be older ones, before the first
		batch.After, batch.Events = events[0].ID.Pos, events[1:]
	}
	batch.Events = s.known(batch.Events)
	return batch, nil
}

// State is Log.State.
func (s *Service) State(ctx context.Context, part int) (State, error) { return s.log.State(ctx, part) }
