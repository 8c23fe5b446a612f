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
	// Whisper takes ephemeral messages. A subscriber drops them when much waits
	// for it already.
	Whisper(*wire.Frame)
	// Answer takes what the subscriber has asked for.
	Answer(*wire.Frame)
	// Lost says that the subscription has ended, because the log is another, or
	// because this server has missed a part of it. The subscriber has to
	// resume.
	Lost()
}

// Subscription is a subscriber's place in the hub.
type Subscription struct {
	to       Subscriber
	interest Interest
	named    []string // interest.named()
	group    *group
	at       int   // index in the group's list
	places   []int // of each of named: the index in its audience

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

// name and unname keep the group's audiences.
func (s *Subscription) name() {
	s.places = make([]int, len(s.named))
	for slot, topic := range s.named {
		a := s.group.audiences[topic]
		if a == nil {
			a = &audience{topic: topic}
			s.group.audiences[topic] = a
		}
		s.places[slot] = len(a.members)
		a.members = append(a.members, member{s, slot})
	}
}

func (s *Subscription) unname() {
	for slot, topic := range s.named {
		a, place := s.group.audiences[topic], s.places[slot]
		last := len(a.members) - 1
		other := a.members[last]
		a.members[place], a.members[last] = other, member{}
		a.members = a.members[:last]
		other.s.places[other.slot] = place
		if last == 0 {
			delete(s.group.audiences, topic)
		}
	}
	s.places = nil
}

// audience is the subscriptions of a group that named one topic, in no order.
type audience struct {
	topic   string
	members []member
	portion // of the batch that is being delivered
}

// member is a subscription in an audience, and which of its named topics that is.
type member struct {
	s    *Subscription
	slot int
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
	filter    *filter.Matcher // nil: none
	public    []*Subscription // want every public topic
	others    []*Subscription // all others
	audiences map[string]*audience

	// Of deliver, for the items that are being delivered.
	batch       uint64          // counts them
	named       []*audience     // of their topics
	touched     []*Subscription // have a view of their own
	noItems     view            // where the views of others begin
	publicItems view            // where the views of public begin
}

func newGroup(filter *filter.Matcher) *group {
	return &group{filter: filter, audiences: map[string]*audience{}}
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
	g.name(items)
	if len(g.named) == 1 {
		deliveries = g.deliverOne(g.named[0], d)
	} else {
		deliveries = g.deliverSeveral(d)
	}
	if n := len(g.publicItems.items); n > 0 && len(g.public) > 0 {
		f := g.publicItems.shared(d.frame)
		for _, s := range g.public {
			if s.batch == g.batch {
				continue // had more than the public items
			}
			d.give(s.to, f)
			deliveries += n
		}
	}
	for _, a := range g.named {
		a.items = nil
	}
	clear(g.named)
	g.named = g.named[:0]
	g.noItems, g.publicItems = view{}, view{}
	return deliveries
}

// name finds the audiences of the items.
func (g *group) name(items []Item) {
	if len(g.audiences) == 0 {
		return
	}
	for first, end := 0, 0; first < len(items); first = end {
		topic := items[first].Topic
		for end = first + 1; end < len(items) && items[end].Topic == topic; {
			end++
		}
		a := g.audiences[topic]
		switch {
		case a == nil:
		case a.items == nil:
			a.items = items[first:end:end] // most often all of them
			g.named = append(g.named, a)
		default:
			a.items = append(a.items, items[first:end]...)
		}
	}
}

// base is the view that the view of s begins with.
func (g *group) base(s *Subscription) *view {
	if s.interest.Topics.All {
		return &g.publicItems
	}
	return &g.noItems
}

// deliverOne serves an audience when the items have no other.
func (g *group) deliverOne(a *audience, d delivery) (deliveries int) {
	public := everybody.Sees(a.topic)
	for _, m := range a.members {
		s := m.s
		if !public && !s.interest.Sight.Sees(a.topic) {
			continue // has left the room
		}
		s.batch = g.batch
		v := g.base(s).with(&a.portion)
		d.give(s.to, v.shared(d.frame))
		deliveries += len(v.items)
	}
	return deliveries
}

// deliverSeveral serves the audiences of the items: whoever is in several gets
// one view.
func (g *group) deliverSeveral(d delivery) (deliveries int) {
	for _, a := range g.named {
		public := everybody.Sees(a.topic)
		for _, m := range a.members {
			s := m.s
			if !public && !s.interest.Sight.Sees(a.topic) {
				continue // has left the room
			}
			if s.batch != g.batch {
				s.batch, s.view = g.batch, g.base(s)
				g.touched = append(g.touched, s)
			}
			s.view = s.view.with(&a.portion)
		}
	}
	for _, s := range g.touched {
		d.give(s.to, s.view.shared(d.frame))
		deliveries += len(s.view.items)
		s.view = nil
	}
	clear(g.touched)
	g.touched = g.touched[:0]
	return deliveries
}
