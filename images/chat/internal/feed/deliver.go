package feed

import (
	"chatapp/chat/internal/filter"
	"chatapp/chat/internal/wire"
)

// delivery is what is handed out, and how.
type delivery struct {
	frame func([]Item) *wire.Frame
	give  func(Subscriber, *wire.Frame)
	all   bool // whatever the filters
}

// deliver hands the messages of a batch to everybody who wants them, and gives
// the number of deliveries. Whoever wants several topics of the batch gets all
// of them in one frame: the cursor in it says that everything up to there was
// sent.
func (h *Hub) deliver(items []Item) (deliveries int) {
	cursor := h.cursor()
	return h.give(items, delivery{
		frame: func(items []Item) *wire.Frame { return Frame(items, cursor) }, give: Subscriber.Deliver,
	})
}

// give hands items to all groups, and gives the number of deliveries.
func (h *Hub) give(items []Item, d delivery) (deliveries int) {
	for _, g := range h.groups {
		mine := items
		if g.filter != nil && !d.all {
			if mine = g.matching(items); len(mine) == 0 {
				continue
			}
		}
		deliveries += g.deliver(mine, d)
	}
	return deliveries
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
		f := g.publicItems.shared(d)
		for _, s := range g.public {
			if s.batch == g.batch {
				continue // has more than the public items: it is among touched
			}
			d.give(s.to, f)
			deliveries += n
		}
	}
	for _, s := range g.touched {
		d.give(s.to, s.view.shared(d))
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
