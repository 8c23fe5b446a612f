package feed

import (
	"slices"

	"chatapp/chat/internal/chat"
)

// window is the recent end of the log in this server's memory: what a new or
// resuming subscriber needs first, encoded once and read without asking the
// log. It is not safe for concurrent use; the hub's mutex guards it. A slice
// taken from it (items) stays valid and unchanged for ever.
type window struct {
	items []Item     // in order of arrival; of each partition in order of position
	start []chat.Pos // by partition: every message after it, up to the head, is in items
	head  []chat.Pos // by partition: how far the log has been read
	bytes int
}

// Bounds of the window: whichever is reached first. 8 MiB is some 25,000
// messages of 200 characters; the count bounds the time to look through them.
const (
	windowItems = 8192
	windowBytes = 8 << 20
)

// reset begins anew: start and head are those of each partition, and items
// everything in between.
func (w *window) reset(start, head []chat.Pos, items []Item) {
	w.items, w.bytes = nil, 0
	w.start, w.head = slices.Clone(start), slices.Clone(head)
	w.keep(items)
}

// add takes the next items of a partition, which has been read up to through.
func (w *window) add(part int, items []Item, through chat.Pos) {
	w.head[part] = through
	w.keep(items)
}

func (w *window) keep(items []Item) {
	w.items = append(w.items, items...)
	for _, it := range items {
		w.bytes += it.Size()
	}
	drop := 0
	for len(w.items)-drop > windowItems || w.bytes > windowBytes {
		it := w.items[drop]
		w.start[it.ID.Part] = it.ID.Pos
		w.bytes -= it.Size()
		drop++
	}
	w.items = w.items[drop:]
}

// covers reports whether everything after pos is in a window that starts at
// start.
func covers(start, pos []chat.Pos) bool {
	for part, p := range pos {
		if p.Compare(start[part]) < 0 {
			return false
		}
	}
	return true
}

// after gives the items of interest that come after pos, oldest first.
func after(items []Item, interest Interest, pos []chat.Pos) []Item {
	first := len(items) // the first that may be after pos
	for first > 0 {
		it := items[first-1]
		if len(pos) == 1 && it.ID.Pos.Compare(pos[0]) <= 0 {
			break // one partition: all before it are before pos too
		}
		first--
	}
	var found []Item
	for _, it := range items[first:] {
		if it.ID.Pos.Compare(pos[it.ID.Part]) > 0 && interest.Wants(it.Topic) {
			found = append(found, it)
		}
	}
	return found
}

// Filtered takes out what the filter does not let through.
func (i Interest) Filtered(items []Item) []Item { return filtered(items, i) }

// filtered takes out what the filter does not let through. Numbers come before
// it: a deleted message matches no filter.
func filtered(items []Item, interest Interest) []Item {
	if interest.Filter == nil {
		return items
	}
	var found []Item
	for _, it := range items {
		if it.matches(interest.Filter) {
			found = append(found, it)
		}
	}
	return found
}
