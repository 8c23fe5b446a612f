package feed

import (
	"slices"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/filter"
)

// Snapshot is the hub at one moment. It stays as it is, and may be read by
// many goroutines.
type Snapshot struct {
	Epoch   uint64
	Start   []chat.Pos      // by partition: everything after it, up to Head, is here
	Head    []chat.Pos      // by partition: how far the log had been read
	Changed <-chan struct{} // closed once Epoch or Head is another

	hub   *Hub
	items []Item
}

// Cursor is the text of the cursor that covers everything in the snapshot.
func (s Snapshot) Cursor() string { return chat.Cursor{Epoch: s.Epoch, Pos: s.Head}.String() }

// Covers reports whether everything after pos, up to Head, is in the snapshot.
func (s Snapshot) Covers(pos []chat.Pos) bool { return covers(s.Start, pos) }

// Low is where every partition's messages begin to be in the snapshot: after
// it none is missing.
func (s Snapshot) Low() chat.Pos { return slices.MaxFunc(s.Start, chat.Pos.Compare) }

// fresh gives items with their newest numbers.
func (s Snapshot) fresh(items []Item) []Item {
	items, _ = s.hub.Fresh(items)
	return items
}

// After gives the items of interest that come after pos, in order of arrival.
func (s Snapshot) After(interest Interest, pos []chat.Pos) []Item {
	return filtered(s.fresh(after(s.items, interest.unfiltered(), pos)), interest)
}

// Last gives the last n items of interest that come after pos, in order of
// their ids.
func (s Snapshot) Last(interest Interest, pos chat.Pos, n int) []Item {
	found := make([]Item, 0, min(n, 64))
	// Items come in order of their ids within a partition, not between them.
	taken := make([]int, len(s.Start))
	for i := len(s.items) - 1; i >= 0 && len(found) < n*len(taken); i-- {
		it := &s.items[i]
		if taken[it.ID.Part] == n || it.ID.Pos.Compare(pos) <= 0 || !interest.Wants(it.Topic) || !s.matches(it, interest.Filter) {
			continue
		}
		taken[it.ID.Part]++
		found = append(found, *it)
	}
	slices.Reverse(found) // in order already, but for partitions that overlap
	Sort(found)
	return found[max(0, len(found)-n):]
}

// LastUpTo gives the id of the last item of interest at or before pos.
func (s Snapshot) LastUpTo(interest Interest, pos []chat.Pos) (last chat.ID, found bool) {
	for _, it := range slices.Backward(s.items) {
		if it.ID.Pos.Compare(pos[it.ID.Part]) > 0 || !interest.Wants(it.Topic) || found && it.ID.Compare(last) < 0 {
			continue
		}
		if s.matches(&it, interest.Filter) {
			last, found = it.ID, true
		}
	}
	return last, found
}

// matches reports whether an item matches a filter, nil for none, with its
// newest numbers. Those are looked up for what matches with old ones: all that
// they can change is that it was deleted.
func (s Snapshot) matches(it *Item, f *filter.Matcher) bool {
	return f == nil || it.matches(f) && s.fresh([]Item{*it})[0].matches(f)
}

// AnyUpTo reports whether an item of interest is at or before pos.
func (s Snapshot) AnyUpTo(interest Interest, pos []chat.Pos) bool {
	return slices.ContainsFunc(s.items, func(it Item) bool {
		return it.ID.Pos.Compare(pos[it.ID.Part]) <= 0 && interest.wants(it)
	})
}

// Snapshot gives the hub as it is now.
func (h *Hub) Snapshot() Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Snapshot{
		Epoch:   h.epoch,
		Start:   slices.Clone(h.window.start),
		Head:    slices.Clone(h.window.head),
		Changed: h.changed,
		hub:     h,
		items:   slices.Clip(h.window.items),
	}
}
