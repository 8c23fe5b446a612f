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

	added *portion // the one looked at last
	next  *view    // the view with its items, too
}

// portion is the items of a batch that are of one topic.
type portion struct{ items []Item }

// everybody is the sight that all subscribers have in common.
var everybody chat.Sight

// with is the view that has one more portion.
func (v *view) with(p *portion) *view {
	if v.added == p {
		return v.next
	}
	v.added, v.next = p, &view{items: p.items}
	if len(v.items) > 0 {
		v.next.items = slices.Concat(v.items, p.items)
		Sort(v.next.items)
	}
	return v.next
}

// shared is the frame of the view, made at its first use.
func (v *view) shared(frame func([]Item) *wire.Frame) *wire.Frame {
	if v.frame == nil {
		v.frame = frame(v.items)
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
