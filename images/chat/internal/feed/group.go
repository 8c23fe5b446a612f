package feed

import (
	"chatapp/chat/internal/filter"
	"chatapp/chat/internal/wire"
)

// Subscriber takes what the hub hands out. The hub calls it under its mutex:
// no method may wait, or call the hub.
type Subscriber interface {
	// Deliver takes messages as they come from the log. A subscriber for which
	// too much waits ends itself.
	Deliver(*wire.Frame)
	// Whisper takes ephemeral messages. A subscriber for which much waits drops
	// them.
	Whisper(*wire.Frame)
	// Answer takes what the subscriber has asked for.
	Answer(*wire.Frame)
	// Lost says that the subscription has ended, since the log is another or
	// has gone on without this server: the subscriber has to resume.
	Lost()
}

// Subscription is a subscriber's place in the hub.
type Subscription struct {
	to       Subscriber
	interest Interest
	named    []string // interest.named()
	group    *group
	at       int // index in the group's list

	// What the batch that is being delivered has for it.
	batch uint64
	view  *view
}

// list is where a subscription is kept.
func (s *Subscription) list() *[]*Subscription {
	if s.interest.Topics.All {
		return &s.group.public
	}
	return &s.group.others
}

// name and unname keep the group's byTopic.
func (s *Subscription) name() {
	g := s.group
	for _, topic := range s.named {
		set := g.byTopic[topic]
		if set == nil {
			set = map[*Subscription]struct{}{}
			g.byTopic[topic] = set
		}
		set[s] = struct{}{}
	}
}

func (s *Subscription) unname() {
	g := s.group
	for _, topic := range s.named {
		delete(g.byTopic[topic], s)
		if len(g.byTopic[topic]) == 0 {
			delete(g.byTopic, topic)
		}
	}
}

// delivery is what is handed out, and how.
type delivery struct {
	frame func([]Item) *wire.Frame
	give  func(Subscriber, *wire.Frame)
	all   bool // whatever the filters
}

// group is the subscribers with one filter. The filter is evaluated once for
// all of them, and those who get the same share frames.
type group struct {
	filter  *filter.Matcher // nil: none
	public  []*Subscription // want every public topic
	others  []*Subscription // all others
	byTopic map[string]map[*Subscription]struct{}

	// Of deliver, for the items that are being delivered.
	batch       uint64          // counts them
	touched     []*Subscription // have a view of their own
	noItems     view            // where the views of others begin
	publicItems view            // where the views of public begin
}

func newGroup(filter *filter.Matcher) *group {
	return &group{filter: filter, byTopic: map[string]map[*Subscription]struct{}{}}
}

func (g *group) matching(items []Item) []Item {
	var found []Item
	for _, it := range items {
		if it.matches(g.filter) {
			found = append(found, it)
		}
	}
	return found
}

func (g *group) deliver(items []Item, d delivery) (deliveries int) {
	g.batch++
	g.noItems, g.publicItems = view{}, view{items: publicOf(items)}
	g.look(items)
	if n := len(g.publicItems.items); n > 0 && len(g.public) > 0 {
		f := g.publicItems.shared(d.frame)
		for _, s := range g.public {
			if s.batch == g.batch {
				continue // has more than the public items: it is among touched
			}
			d.give(s.to, f)
			deliveries += n
		}
	}
	for _, s := range g.touched {
		d.give(s.to, s.view.shared(d.frame))
		deliveries += len(s.view.items)
		s.view = nil
	}
	g.noItems, g.publicItems = view{}, view{}
	clear(g.touched)
	g.touched = g.touched[:0]
	return deliveries
}

// look finds the view of each subscriber that named a topic of the items: it
// begins with the public items, or with nothing. touched are those subscribers.
func (g *group) look(items []Item) {
	topics := g.namedIn(items)
	for i := range topics {
		for s := range g.byTopic[topics[i].topic] {
			if !s.interest.Sight.Sees(topics[i].topic) {
				continue // has left the room
			}
			if s.batch != g.batch {
				s.batch, s.view = g.batch, &g.noItems
				if s.interest.Topics.All {
					s.view = &g.publicItems
				}
				g.touched = append(g.touched, s)
			}
			s.view = s.view.with(&topics[i])
		}
	}
}

// namedIn gives the topics of the items that subscribers have named.
func (g *group) namedIn(items []Item) []topicItems {
	if len(g.byTopic) == 0 {
		return nil
	}
	var topics []topicItems
	at := map[string]int{}
	for _, it := range items {
		if g.byTopic[it.Topic] == nil {
			continue
		}
		i, known := at[it.Topic]
		if !known {
			i = len(topics)
			at[it.Topic] = i
			topics = append(topics, topicItems{topic: it.Topic})
		}
		topics[i].items = append(topics[i].items, it)
	}
	return topics
}
