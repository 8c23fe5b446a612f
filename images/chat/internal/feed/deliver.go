package feed

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
			if !s.interest.Sight.Sees(topics[i].topic) {
				continue // has left the room
			}
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
