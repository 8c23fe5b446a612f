package feed

import (
	"slices"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// Learn takes in changes of one partition. through is the Rev up to which the
// tail has told all of them; 0 for changes that do not come from the tail.
func (h *Hub) Learn(part int, changes []chat.Change, through chat.Rev) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := &h.numbers
	for _, c := range changes {
		if through == 0 && c.Rev <= n.told[part] {
			continue // the tail has told it, and it may be forgotten since
		}
		if k := n.learn(c); k != nil && !k.due {
			k.due = true
			n.due = append(n.due, c.ID)
		}
	}
	if through > n.told[part] {
		n.told[part] = through
	}
	n.trim(h.window.start)
	h.wakeFlush()
}

// LearnOf is Learn for messages that were read from the log.
func (h *Hub) LearnOf(messages []chat.Message) {
	for _, m := range messages {
		if m.Rev != 0 {
			h.Learn(int(m.ID.Part), []chat.Change{{ID: m.ID, Topic: m.Topic, Rev: m.Rev, Tally: m.Tally}}, 0)
		}
	}
}

func (h *Hub) wakeFlush() {
	if len(h.numbers.due) == 0 {
		return
	}
	select {
	case h.due <- struct{}{}:
	default: // flush is woken already
	}
}

// flush tells subscribers the numbers that are due, each message's at most once
// in updateGap, and gives the time until the next look; 0: when there is news.
func (h *Hub) flush(now time.Time) (wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := &h.numbers
	var items []Item
	n.due = slices.DeleteFunc(n.due, func(id chat.ID) bool {
		k := n.by[id]
		rest := updateGap - now.Sub(k.sent)
		if id.Pos.Compare(h.window.head[id.Part]) > 0 {
			rest = max(rest, updateGap) // its message has not come yet
		}
		if rest > 0 {
			if wait == 0 || rest < wait {
				wait = rest
			}
			return false
		}
		k.due, k.sent = false, now
		items = append(items, update(k.Change))
		return true
	})
	if len(items) > 0 {
		h.metrics.updates.Add(float64(h.give(items, delivery{frame: updatesFrame, give: Subscriber.Deliver, all: true})))
	}
	return wait
}

// Fresh gives items with the newest numbers that the hub knows, and seen for
// Attach: what the hub learns later is not in them.
func (h *Hub) Fresh(items []Item) ([]Item, uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fresh(items), h.numbers.seq
}

func (h *Hub) fresh(items []Item) []Item {
	if len(h.numbers.by) == 0 {
		return items
	}
	copied := false
	for i, it := range items {
		k := h.numbers.by[it.ID]
		if k == nil || k.Rev <= it.rev() {
			continue
		}
		if !copied {
			items, copied = slices.Clone(items), true
		}
		items[i] = it.with(k.Change)
	}
	return items
}

// Answer gives a subscriber the frame that build makes of items with the
// newest numbers: none that it was told before is newer.
func (h *Hub) Answer(to Subscriber, items []Item, build func([]Item) *wire.Frame) {
	fresh, seq := h.Fresh(items)
	f := build(fresh) // not under the mutex: it may be long
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, it := range fresh {
		if k := h.numbers.by[it.ID]; k != nil && k.seq > seq {
			f = build(h.fresh(fresh))
			break
		}
	}
	to.Answer(f)
}

// Updates gives what the hub has learned after seen of messages of interest
// that are not after pos, and what to pass as seen from then on. ok is false if
// there is too much of it.
func (h *Hub) Updates(interest Interest, pos []chat.Pos, seen uint64) (changes []chat.Change, now uint64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changes, ok = h.numbers.learnedAfter(seen, interest, pos, 32*MaxUpdates)
	return changes, h.numbers.seq, ok
}

// ChangedSince gives the newest numbers of messages of interest at or before a
// cursor's positions, and after floor, that changed since the cursor, or a
// second before. complete is false when the hub does not remember as much.
func (h *Hub) ChangedSince(interest Interest, pos, floor []chat.Pos) (found []chat.Change, complete bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := &h.numbers
	since := make([]chat.Rev, len(pos))
	oldest := ^chat.Rev(0)
	for part, p := range pos {
		if since[part] = Since(p); since[part] < n.since[part] {
			return nil, false
		}
		oldest = min(oldest, since[part])
	}
	for i := len(n.order) - 1; i >= 0 && n.order[i].rev+revSlack > oldest; i-- {
		l := n.order[i]
		k := n.by[l.id]
		if k == nil || k.seq != l.seq || k.Rev <= since[l.id.Part] || !interest.Wants(k.Topic) ||
			l.id.Pos.Compare(pos[l.id.Part]) > 0 || l.id.Pos.Compare(floor[l.id.Part]) <= 0 {
			continue
		}
		if found = append(found, k.Change); len(found) > MaxUpdates {
			break
		}
	}
	slices.Reverse(found)
	return found, true
}

// Whisper hands out ephemeral messages of one partition. Nothing of them is
// kept.
func (h *Hub) Whisper(list []chat.Ephemeral) {
	items := encodeEphemerals(list)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.metrics.deliveries.Add(float64(h.give(items, delivery{frame: ephemeralFrame, give: Subscriber.Whisper})))
}

func ephemeralFrame(items []Item) *wire.Frame {
	return &wire.Frame{Text: wire.AppendEphemerals(nil, Texts(items))}
}
