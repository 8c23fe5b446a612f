package feed

import (
	"slices"

	"chatapp/chat/internal/chat"
)

// Interest is what a subscriber gets: what it asks for and may see.
type Interest struct {
	Topics chat.TopicSet
	Sight  chat.Sight
}

// Wants reports whether messages of a topic are of interest.
func (i Interest) Wants(topic string) bool { return i.Topics.Has(topic) && i.Sight.Sees(topic) }

// named gives the topics that are of interest besides the public ones that
// "every topic" means.
func (i Interest) named() []string {
	return slices.DeleteFunc(slices.Clone(i.Topics.Names), func(topic string) bool { return !i.Sight.Sees(topic) })
}
