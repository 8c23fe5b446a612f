package chat

import (
	"context"
	"errors"
	"slices"
	"time"
)

// known takes out, in place, what a reader steps over.
func (s *Service) known(events []Event) []Event {
	return slices.DeleteFunc(events, func(e Event) bool {
		switch {
		case e.stray():
			return true
		case e.Kind.Known():
			return false
		}
		if s.options.SteppedOver != nil {
			s.options.SteppedOver(e)
		}
		return true
	})
}

// spoken takes out, in place, everything but messages.
func (s *Service) spoken(events []Event) []Event {
	return slices.DeleteFunc(s.known(events), func(e Event) bool { return !e.Kind.IsMessage() })
}

// ErrOvertaken says that retention has removed events that a reader had still
// to read.
var ErrOvertaken = errors.New("retention has removed what was to be read next")

// Since gives about max messages of the topics in one partition that come after
// a position, oldest first, and the position that they reach to. When retention
// may have removed some of them, the error is ErrOvertaken, so the caller
// misses nothing without knowing.
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
	sight := SightOf(who)
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
// a position, without reading any. If retention may have removed some, the
// error is ErrOvertaken, as in Since.
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

// Follow is Log.Read without the events that this version steps over: all of
// those in Events are Known. Only the server's tails call it, one for each
// partition: what they read keeps the list of topics up to date.
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

// Recent gives the end of a partition that is in this state: at most about max
// events. All of them are Known, and none after Batch.After is missing.
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
