package chat

import (
	"context"
	"errors"
	"time"
)

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
