package feed

import "chatapp/chat/internal/chat"

// Interest is what a subscriber gets: what it asks for and may see.
type Interest struct {
	Topics chat.TopicSet
	Sight  chat.Sight
}

// Wants reports whether messages of a topic are of interest.
func (i Interest) Wants(topic string) bool { return i.Topics.Has(topic) && i.Sight.Sees(topic) }

// named gives the topics that may be of interest besides the public ones that
// "every topic" means. Whether they are seen is asked at each delivery.
func (i Interest) named() []string {
	if i.Topics.All {
		return i.Sight.Rooms()
	}
	return i.Topics.Names
}
