package feed

import (
	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/filter"
)

// Interest is what a subscriber gets: what it asks for and may see.
type Interest struct {
	Topics chat.TopicSet
	Sight  chat.Sight
	Filter *filter.Matcher // nil: none
}

// Wants reports whether messages of a topic are of interest, if the filter
// lets them through.
func (i Interest) Wants(topic string) bool { return i.Topics.Has(topic) && i.Sight.Sees(topic) }

// wants reports whether an item is of interest.
func (i Interest) wants(it Item) bool {
	return i.Wants(it.Topic) && (i.Filter == nil || it.matches(i.Filter))
}

// unfiltered is i without its filter.
func (i Interest) unfiltered() Interest {
	i.Filter = nil
	return i
}

// named gives the topics that may be of interest besides the public ones that
// "every topic" means. Whether they are seen is asked at each delivery.
func (i Interest) named() []string {
	if i.Topics.All {
		return i.Sight.Rooms()
	}
	return i.Topics.Names
}
