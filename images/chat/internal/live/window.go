package live

import (
	"slices"

	"chatapp/chat/internal/chat"
)

// window is the recent end of the log in this pod's memory: what a new or
// resuming session needs first, encoded once and read without asking the log.
// It is not safe for concurrent use; the hub's mutex guards it. A slice taken
// from it (items) stays valid and unchanged for ever.
type window struct {
	items []item     // in order of arrival; of each partition in order of position
	start []chat.Pos // by partition: every message after it, up to the head, is in items
	head  []chat.Pos // by partition: the last message seen
	bytes int
}

// item is a message, encoded.
type item struct {
	id    chat.ID
	topic string
	json  []byte
}

// Bounds of the window: whichever is reached first. 8 MiB is some 25,000
// messages of 200 characters; the count bounds the time to look through them.
const (
	windowItems = 8192
	windowBytes = 8 << 20
)

// reset empties the window; every partition starts at its place in start.
func (w *window) reset(start []chat.Pos) {
	w.items, w.bytes = nil, 0
	w.start = append([]chat.Pos(nil), start...)
	w.head = append([]chat.Pos(nil), start...)
}

// add takes the next messages, each partition's oldest first.
func (w *window) add(items []item) {
	w.items = append(w.items, items...)
	for _, it := range items {
		w.bytes += len(it.json)
		w.head[it.id.Part] = it.id.Pos
	}
	drop := 0
	for len(w.items)-drop > windowItems || w.bytes > windowBytes {
		it := w.items[drop]
		w.start[it.id.Part] = it.id.Pos
		w.bytes -= len(it.json)
		drop++
	}
	w.items = w.items[drop:]
}

// covers reports whether everything after pos is in the window.
func (w *window) covers(pos []chat.Pos) bool {
	for part, p := range pos {
		if p.Compare(w.start[part]) < 0 {
			return false
		}
	}
	return true
}

// after gives the items of a set of topics that come after pos, oldest first.
func after(items []item, topics chat.TopicSet, pos []chat.Pos) []item {
	first := len(items) // the first that may be after pos
	for first > 0 {
		it := items[first-1]
		if len(pos) == 1 && it.id.Pos.Compare(pos[0]) <= 0 {
			break // one partition: all before it are before pos too
		}
		first--
	}
	var found []item
	for _, it := range items[first:] {
		if it.id.Pos.Compare(pos[it.id.Part]) > 0 && topics.Has(it.topic) {
			found = append(found, it)
		}
	}
	return found
}

// latest gives the last n items of a set of topics, oldest first.
func latest(items []item, topics chat.TopicSet, n int) []item {
	found := make([]item, 0, min(n, 64))
	for i := len(items) - 1; i >= 0 && len(found) < n; i-- {
		if topics.Has(items[i].topic) {
			found = append(found, items[i])
		}
	}
	sortItems(found)
	return found
}

// sortItems puts items in the order of their ids, in place: partitions arrive
// each at its own pace.
func sortItems(items []item) {
	slices.SortFunc(items, func(a, b item) int { return a.id.Compare(b.id) })
}
