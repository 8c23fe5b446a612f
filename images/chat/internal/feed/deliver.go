package feed

import (
	"slices"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// view is what some subscribers get of a batch. All who get the same share one
// view, and so one frame. The topics of a batch are looked at one after the
// other; the view with one more topic is kept with the view that it came from.
type view struct {
	items []Item // in order
	frame *wire.Frame

	topic *topicItems // the topic looked at last
	next  *view       // the view with that topic, too
}

// topicItems is a topic of the batch that subscribers have named, and its items.
type topicItems struct {
	topic string
	items []Item
}

// everybody is the sight that all subscribers have in common.
var everybody chat.Sight

// deliver hands the items of a batch to everybody who wants them, and gives
// the number of deliveries. Whoever wants several topics of the batch gets all
// of them in one frame: the cursor in it says that everything up to there was
// sent.
func (h *Hub) deliver(items []Item) (deliveries int) {
	cursor := h.cursor()
	h.batch++
	h.noItems, h.publicItems = view{}, view{items: publicOf(items)}
	h.look(items)
	if n := len(h.publicItems.items); n > 0 && len(h.public) > 0 {
		f := h.publicItems.shared(cursor)
		for _, s := range h.public {
			if s.batch == h.batch {
				continue // has more than the public items: it is among touched
			}
			s.to.Deliver(f)
			deliveries += n
		}
	}
	for _, s := range h.touched {
		s.to.Deliver(s.view.shared(cursor))
		deliveries += len(s.view.items)
		s.view = nil
	}
	h.noItems, h.publicItems = view{}, view{}
	clear(h.touched)
	h.touched = h.touched[:0]
	return deliveries
}

// look finds the view of each subscriber that named a topic of the batch: it
// begins with the public items, or with nothing. touched are those subscribers.
func (h *Hub) look(items []Item) {
	topics := h.namedIn(items)
	for i := range topics {
		for s := range h.byTopic[topics[i].topic] {
			if s.batch != h.batch {
				s.batch, s.view = h.batch, &h.noItems
				if s.interest.Topics.All {
					s.view = &h.publicItems
				}
				h.touched = append(h.touched, s)
			}
			s.view = s.view.with(&topics[i])
		}
	}
}

// namedIn gives the topics of the batch that subscribers have named.
func (h *Hub) namedIn(items []Item) []topicItems {
	if len(h.byTopic) == 0 {
		return nil
	}
	var topics []topicItems
	at := map[string]int{}
	for _, it := range items {
		if h.byTopic[it.Topic] == nil {
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

// with is the view that has the items of one more topic.
func (v *view) with(t *topicItems) *view {
	if v.topic == t {
		return v.next
	}
	v.topic, v.next = t, &view{items: t.items}
	if len(v.items) > 0 {
		v.next.items = slices.Concat(v.items, t.items)
		Sort(v.next.items)
	}
	return v.next
}

// shared is the frame of the view, made at its first use.
func (v *view) shared(cursor string) *wire.Frame {
	if v.frame == nil {
		v.frame = Frame(v.items, cursor)
	}
	return v.frame
}

// publicOf gives the items that everybody may see.
func publicOf(items []Item) []Item {
	for i, it := range items {
		if everybody.Sees(it.Topic) {
			continue
		}
		public := slices.Clone(items[:i])
		for _, it := range items[i+1:] {
			if everybody.Sees(it.Topic) {
				public = append(public, it)
			}
		}
		return public
	}
	return items
}
