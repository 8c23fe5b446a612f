package chat

import (
	"context"
	"errors"
	"slices"
)

// Sight is what one principal may see. It is asked before anything is shown: by
// live delivery, by a session that catches up, by history, by the list of
// topics, and by the answer to a repeated key. It follows the principal's
// rooms, so its answers may change. The zero Sight sees what is public.
type Sight struct{ rooms Rooms }

// SightOf is the one place that decides what a principal may see.
func SightOf(who Principal) Sight { return Sight{who.Rooms} }

// Sees reports whether what is posted to a topic may be shown.
func (s Sight) Sees(topic string) bool {
	return !IsRoom(topic) || s.rooms != nil && s.rooms.Has(topic)
}

// public reports whether everybody sees a topic.
func public(topic string) bool { return Sight{}.Sees(topic) }

// Rooms gives the rooms that may be seen, in no order.
func (s Sight) Rooms() []string {
	if s.rooms == nil {
		return nil
	}
	return s.rooms.List()
}

// Unseen gives the names of a set that are not there for this principal.
func (s Sight) Unseen(topics TopicSet) []string {
	var list []string
	for _, topic := range topics.Names {
		if !s.Sees(topic) {
			list = append(list, topic)
		}
	}
	return list
}

// refuse gives the error about what is not seen: notThere, or CodeUnavailable
// while the principal's rooms are not known.
func (s Sight) refuse(notThere *Error) *Error {
	if s.rooms != nil && s.rooms.Stale() {
		return Unavailable(errStale)
	}
	return notThere
}

var errStale = errors.New("what rooms there are for this account is not known")

// recheck removes, in place, messages of rooms that who has left. This process
// may read the log before it hears that somebody has left a room. So whoever
// has read messages of a room asks for the memberships after that.
func recheck(ctx context.Context, who Principal, messages []Message) ([]Message, error) {
	if !slices.ContainsFunc(messages, func(m Message) bool { return !public(m.Topic) }) {
		return messages, nil
	}
	if err := who.Rooms.Check(ctx); err != nil {
		return nil, AsError(err)
	}
	sight := SightOf(who)
	return slices.DeleteFunc(messages, func(m Message) bool { return !sight.Sees(m.Topic) }), nil
}
