package chat

import "strings"

// Sight is what one principal may see. It is asked before anything is shown:
// by live delivery, by a session that catches up, by history, by the list of
// topics, and by the answer to a repeated key. It follows the principal's
// rooms: what it says holds for now. The zero Sight sees what is public.
type Sight struct{ rooms Rooms }

// Sight is the one place that decides what a principal may see.
func (s *Service) Sight(who Principal) Sight { return Sight{who.Rooms} }

// Sees reports whether what is posted to a topic may be shown.
func (s Sight) Sees(topic string) bool {
	return !IsRoom(topic) || s.rooms != nil && s.rooms.Has(topic)
}

// Rooms gives the rooms that may be seen, in no order.
func (s Sight) Rooms() []string {
	if s.rooms == nil {
		return nil
	}
	return s.rooms.List()
}

// IsRoom reports whether a topic is that of a private room, or of none: no
// public topic begins with ~.
func IsRoom(topic string) bool { return strings.HasPrefix(topic, "~") }

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
