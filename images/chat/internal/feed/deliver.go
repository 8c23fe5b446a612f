package feed

import (
	"chatapp/chat/internal/wire"
)

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
