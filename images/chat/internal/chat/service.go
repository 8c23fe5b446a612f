package chat

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Service is the use cases of the chat over a Store: check what people hand
// in, group what they post at the same moment into one append, read back.
// It is safe for use by many goroutines. Close ends its goroutines.
type Service struct {
	store   Store
	writers []*writer
	wg      sync.WaitGroup
	cancel  context.CancelCauseFunc
}

// MaxHistory is the most messages that one call of History gives.
const MaxHistory = 200

// NewService starts one writer goroutine for each partition of store.
// appendTimeout bounds each append; a batch that takes longer is answered
// CodeUnavailable. The store stays the caller's to close, after Close.
func NewService(store Store, appendTimeout time.Duration) *Service {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &Service{store: store, cancel: cancel}
	for part := range store.Partitions() {
		w := newWriter(store, part, appendTimeout)
		s.writers = append(s.writers, w)
		s.wg.Go(func() { w.run(ctx) })
	}
	return s
}

var errClosed = errors.New("the server is closing")

// Close answers everything still waiting, then ends the writers. Posts after
// it, or racing it, are answered CodeUnavailable.
func (s *Service) Close() {
	for _, w := range s.writers {
		w.close()
	}
	s.wg.Wait()
	s.cancel(errClosed)
}

// Post appends what sender hands in and returns once it is durable. Invalid
// drafts give CodeBadMessage; a log that cannot be reached CodeUnavailable.
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
			return s.original(ctx, o.msg), true, nil
		}
		return o.msg, false, nil
	case <-ctx.Done():
		return Message{}, false, Unavailable(context.Cause(ctx))
	}
}

// PostFunc is Post without waiting: done is called exactly once, either before
// PostFunc returns (a bad draft, a full queue) or from the writer's goroutine,
// so it must not block. A session's posts get their answers in order. For a
// duplicate, only the ID of the message given to done is the original's.
func (s *Service) PostFunc(_ Principal, d Draft, done func(msg Message, duplicate bool, err error)) {
	d, err := d.Clean()
	if err != nil {
		done(Message{}, false, err)
		return
	}
	s.writers[PartitionOf(d.Topic, len(s.writers))].add(pending{draft: d, done: done})
}

// original reads the message that a repeated key names. If it is no longer
// there, the repeated draft under the original's id is the best answer left.
func (s *Service) original(ctx context.Context, m Message) Message {
	found, err := s.store.Before(ctx, int(m.ID.Part), "", m.ID.Next(), 1)
	if err != nil || len(found) == 0 || found[0].ID != m.ID {
		return m
	}
	return found[0]
}

// Page is a stretch of history, oldest first.
type Page struct {
	Messages []Message
	More     bool // there are older ones
}

// History gives the limit messages of the topics just before an ID (the zero
// ID: the latest), ordered by time, then id. limit is cut to 1..MaxHistory.
func (s *Service) History(ctx context.Context, who Principal, topics TopicSet, before ID, limit int) (Page, error) {
	bounds := make([]Pos, s.store.Partitions())
	for part := range bounds {
		switch {
		case before == (ID{}):
			bounds[part] = MaxPos
		case part < int(before.Part):
			bounds[part] = before.Pos.Next() // ids of one position are ordered by partition
		default:
			bounds[part] = before.Pos
		}
	}
	return s.HistoryBefore(ctx, who, topics, bounds, max(1, min(limit, MaxHistory)))
}

// HistoryBefore gives the last limit messages whose position is before their
// partition's bound, ordered by time, then id.
func (s *Service) HistoryBefore(ctx context.Context, _ Principal, topics TopicSet, bounds []Pos, limit int) (Page, error) {
	var all []Message
	for part, bound := range bounds {
		for _, topic := range topics.inPartition(part, len(bounds)) {
			found, err := s.store.Before(ctx, part, topic, bound, limit+1)
			if err != nil {
				return Page{}, Unavailable(err)
			}
			all = append(all, found...)
		}
	}
	slices.SortFunc(all, func(a, b Message) int { return a.ID.Compare(b.ID) })
	return Page{Messages: all[max(0, len(all)-limit):], More: len(all) > limit}, nil
}

// Topics lists every public topic, the most recently used first.
func (s *Service) Topics(ctx context.Context, _ Principal) ([]TopicInfo, error) {
	var all []TopicInfo
	for part := range s.store.Partitions() {
		found, err := s.store.Topics(ctx, part)
		if err != nil {
			return nil, Unavailable(err)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b TopicInfo) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Topic, b.Topic))
	})
	return all, nil
}
