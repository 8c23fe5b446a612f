package chat

import (
	"context"
	"errors"
	"time"
)

// Ephemeral is a message for whoever is connected now. It is kept nowhere.
type Ephemeral struct {
	Draft
	At time.Time // whole milliseconds, by the clock of the log
}

// Broadcast carries ephemeral messages between processes, by a road of its
// own: nothing of them comes into the log, or onto a disk. All methods may be
// called from many goroutines at once.
//
// internal/storetest has a test named after each clause.
type Broadcast interface {
	// Send hands 1 to MaxBatch messages of topics of one partition to everybody
	// who listens, in any process, and gives the time of each.
	//
	//  E2. What one goroutine sends, one call after the other, comes in that
	//      order wherever it comes.
	//  E3. After an error some may have been sent. They are not sent again:
	//      whoever does, sends others.
	//  E4. Nothing of it is kept.
	Send(ctx context.Context, part int, drafts []Draft) ([]time.Time, error)

	// Listen calls take with what is sent from about now on, one at a time for
	// each partition, until ctx ends. What is sent while this process cannot be
	// reached is lost to it.
	Listen(ctx context.Context, take func(part int, list []Ephemeral))
}

type whisper struct {
	draft Draft
	done  func(time.Time, error)
}

// EphemeralFunc sends a message to whoever is connected now. done is called
// exactly once, as that of PostFunc; with the time of the message, once it is
// sent. Whether it arrives is not known. One sender's messages keep their order.
func (s *Service) EphemeralFunc(sender Principal, d Draft, done func(at time.Time, err error)) {
	d, err := s.clean(sender, d)
	switch {
	case err != nil:
	case d.ReplyTo != (ID{}):
		err = badMessage("reply_to: an ephemeral message is no reply; leave one of the two out")
	case s.options.Broadcast == nil:
		err = Unavailable(errors.New("no road for ephemeral messages"))
	}
	if err != nil {
		done(time.Time{}, err)
		return
	}
	s.whispers[PartitionOf(d.Topic, len(s.whispers))].add(whisper{d, done})
}

func (s *Service) sendWhispers(ctx context.Context, part int, list []whisper) {
	drafts := make([]Draft, len(list))
	for i, w := range list {
		drafts[i] = w.draft
	}
	times, err := s.options.Broadcast.Send(ctx, part, drafts)
	for i, w := range list {
		if err != nil {
			w.done(time.Time{}, Unavailable(err))
			continue
		}
		w.done(times[i], nil)
	}
}

// Listen is Broadcast.Listen; without a Broadcast it waits for ctx.
func (s *Service) Listen(ctx context.Context, take func(part int, list []Ephemeral)) {
	if s.options.Broadcast == nil {
		<-ctx.Done()
		return
	}
	s.options.Broadcast.Listen(ctx, take)
}
