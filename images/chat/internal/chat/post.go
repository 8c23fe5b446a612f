package chat

import "context"

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
	if !sender.SignedIn() && !IsRoom(d.Topic) {
		if err := s.admitGuests(); err != nil {
			return d, err
		}
	}
	d.Account = sender.Account
	d, err := d.Clean()
	switch {
	case err != nil:
		return d, err
	case !SightOf(sender).Sees(d.Topic):
		return d, SightOf(sender).refuse(noTopic())
	case sender.SignedIn():
		return d, nil
	}
	return d, s.admitGuest(d.Email)
}

// original reads the message that a repeated key names. If it is no longer
// there, the answer is the repeated draft under the original's id.
func (s *Service) original(ctx context.Context, sender Principal, m Message) (Message, error) {
	found, err := s.log.Before(ctx, int(m.ID.Part), "", m.ID.Next(), 1)
	if err != nil {
		return Message{}, Unavailable(err) // it may be deleted, so the draft is no answer
	}
	if len(found) == 0 || found[0].ID != m.ID || !found[0].Kind.IsMessage() || found[0].stray() || !SightOf(sender).Sees(found[0].Draft.Topic) {
		return m, nil
	}
	messages := []Message{found[0].Message()}
	if err := s.dress(ctx, sender, messages); err != nil {
		return Message{}, Unavailable(err)
	}
	return messages[0], nil
}
