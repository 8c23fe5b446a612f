package chat

import (
	"context"
	"fmt"
	"time"
)

// VoteDraft is what a person hands in to vote on a message.
type VoteDraft struct {
	Message     ID
	Vote        int    // +1, -1, or 0 to take a vote back
	Name, Email string // of a guest; those signed in may leave them out
}

// VoteFunc counts a vote. done is called exactly once, as that of PostFunc,
// once the vote is durable: with the message's numbers, this vote counted.
// VoteFunc itself may wait for the log, for as long as an append.
func (s *Service) VoteFunc(who Principal, v VoteDraft, done func(Counted, error)) {
	ballot, err := s.ballot(who, v)
	if err != nil {
		done(Counted{}, err)
		return
	}
	s.votes[ballot.Message.Part].add(vote{ballot, done})
}

// Vote is VoteFunc, waited for.
func (s *Service) Vote(ctx context.Context, who Principal, v VoteDraft) (Counted, error) {
	type outcome struct {
		counted Counted
		err     error
	}
	ch := make(chan outcome, 1)
	s.VoteFunc(who, v, func(c Counted, err error) { ch <- outcome{c, err} })
	select {
	case o := <-ch:
		return o.counted, o.err
	case <-ctx.Done():
		return Counted{}, Unavailable(context.Cause(ctx))
	}
}

func (s *Service) ballot(who Principal, v VoteDraft) (Ballot, error) {
	if !who.SignedIn() {
		if err := s.admitGuests(); err != nil {
			return Ballot{}, err
		}
	}
	if v.Vote < -1 || v.Vote > 1 {
		return Ballot{}, badMessage("vote: send 1, -1, or 0 to take a vote back")
	}
	_, email, err := s.speaker(who, v.Name, v.Email)
	if err != nil {
		return Ballot{}, err
	}
	f, err := s.fact(who, v.Message)
	if err != nil {
		return Ballot{}, err
	}
	return Ballot{Message: v.Message, Topic: f.topic, Voter: VoterOf(email), Vote: int8(v.Vote)}, nil
}

// speaker gives the name and the address under which somebody speaks, in the
// form in which they are kept.
func (s *Service) speaker(who Principal, name, email string) (string, string, error) {
	if who.SignedIn() {
		if email != "" && !SameAddress(email, who.Email) {
			return "", "", badMessage("email: leave it out, or send that of your account")
		}
		return who.Name, who.Email, nil
	}
	name, ok := Line(name, MaxName)
	if !ok {
		return "", "", badMessage(fmt.Sprintf("name: send one line of 1 to %d characters", MaxName))
	}
	if !ValidAddress(email) {
		return "", "", badMessage(fmt.Sprintf("email: send an address such as ann@example.org, without display name, at most %d characters", MaxEmail))
	}
	return name, email, s.admitGuest(email)
}

func (s *Service) countVotes(ctx context.Context, part int, list []vote) {
	ballots := make([]Ballot, len(list))
	for i, v := range list {
		ballots[i] = v.ballot
	}
	changes, err := s.options.Numbers.Vote(ctx, part, ballots)
	if err == nil {
		s.changed(changes)
	}
	for i, v := range list {
		switch {
		case err != nil:
			v.done(Counted{}, Unavailable(err))
		case changes[i].ID == ID{}:
			v.done(Counted{}, errGone())
		default:
			v.done(Counted{Change: changes[i], Vote: v.ballot.Vote}, nil)
		}
	}
}

// changed tells this process of changes at once. Other processes hear of them a
// moment later.
func (s *Service) changed(changes []Change) {
	if s.options.Changed == nil {
		return
	}
	for _, c := range changes {
		if c.ID != (ID{}) {
			s.options.Changed(c)
		}
	}
}

// Delete takes a message's content away. The account that posted it may do so,
// and whoever Options.Owner allows. Deleting again changes nothing. When it has
// returned, no answer of this process has the content.
func (s *Service) Delete(ctx context.Context, who Principal, id ID) error {
	if !who.SignedIn() {
		return &Error{Code: CodeUnauthorised, Message: "sign in to delete a message"}
	}
	f, err := s.fact(who, id)
	if err != nil {
		return err
	}
	if f.account != who.Account && (s.options.Owner == nil || !s.options.Owner(who, f.topic)) {
		return &Error{Code: CodeUnauthorised, Message: "a message is deleted by the account that posted it, or by the creator of its room"}
	}
	change, err := s.options.Numbers.Delete(ctx, id, f.topic)
	if err != nil {
		return Unavailable(err)
	}
	if change.ID == (ID{}) {
		return errGone()
	}
	s.changed([]Change{change})
	return nil
}

// fact gives what is known of a message, or errGone if there is none that who
// sees.
func (s *Service) fact(who Principal, id ID) (fact, error) {
	if s.options.Numbers == nil || int(id.Part) >= s.Partitions() {
		return fact{}, errGone()
	}
	f, known := s.facts.get(id)
	if !known {
		ctx, cancel := context.WithTimeout(s.ctx, s.options.AppendTimeout)
		defer cancel()
		events, err := s.options.Numbers.At(ctx, int(id.Part), []Pos{id.Pos})
		if err != nil {
			return fact{}, Unavailable(err)
		}
		if events = s.spoken(events); len(events) == 0 {
			return fact{}, SightOf(who).refuse(errGone())
		}
		f = fact{topic: events[0].Draft.Topic, account: events[0].Draft.Account}
		s.facts.put(id, f)
	}
	if !SightOf(who).Sees(f.topic) {
		return fact{}, SightOf(who).refuse(errGone())
	}
	return f, nil
}

// checkReply finds out whether a draft may be appended. A key that is known is
// answered first: then repeated is true, and id the first message's.
func (s *Service) checkReply(who Principal, d Draft) (id ID, repeated bool, err error) {
	f, err := s.fact(who, d.ReplyTo)
	if err == nil && f.topic == d.Topic {
		return ID{}, false, nil
	}
	if err != nil && AsError(err).Code != CodeNotFound || s.options.Numbers == nil {
		return ID{}, false, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.options.AppendTimeout)
	defer cancel()
	id, repeated, err = s.options.Numbers.Known(ctx, PartitionOf(d.Topic, s.Partitions()), d.KeyDigest())
	switch {
	case err != nil:
		return ID{}, false, Unavailable(err)
	case repeated:
		return id, true, nil
	}
	return ID{}, false, noParent()
}

// dress completes messages that were read from the log: with the numbers that
// they have now, and the votes of who. It takes away the content of deleted
// ones. It comes after the reading, so a message that is deleted meanwhile has
// no content either.
func (s *Service) dress(ctx context.Context, who Principal, messages []Message) error {
	if s.options.Numbers == nil || len(messages) == 0 {
		return nil
	}
	var voter Voter
	if who.SignedIn() {
		voter = VoterOf(who.Email)
	}
	at := make([][]Pos, s.Partitions())
	for _, m := range messages {
		at[m.ID.Part] = append(at[m.ID.Part], m.ID.Pos)
	}
	found := make(map[ID]Counted, len(messages))
	for part, positions := range at {
		if len(positions) == 0 {
			continue
		}
		list, err := s.options.Numbers.Tallies(ctx, part, positions, voter)
		if err != nil {
			return err
		}
		for _, c := range list {
			found[c.ID] = c
		}
	}
	for i := range messages {
		m := &messages[i]
		c := found[m.ID]
		m.Tally, m.Rev, m.Vote = c.Tally, c.Rev, c.Vote
		if m.Deleted {
			m.Content = ""
		}
	}
	return nil
}

// Dress is dress for messages that are in this process's memory.
func (s *Service) Dress(ctx context.Context, who Principal, messages []Message) error {
	if err := s.dress(ctx, who, messages); err != nil {
		return Unavailable(err)
	}
	return nil
}

// FollowNumbers is Numbers.Follow, for the server itself. Without Numbers it
// waits.
func (s *Service) FollowNumbers(ctx context.Context, part int, after Rev, wait time.Duration) ([]Change, Rev, error) {
	if s.options.Numbers == nil {
		if wait > 0 {
			<-ctx.Done()
		}
		return nil, after, nil
	}
	return s.options.Numbers.Follow(ctx, part, after, wait)
}

// ChangedNumbers is Numbers.Changed, for the server itself.
func (s *Service) ChangedNumbers(ctx context.Context, part int, after Rev, max int) ([]Change, error) {
	if s.options.Numbers == nil {
		return nil, nil
	}
	return s.options.Numbers.Changed(ctx, part, after, max)
}
