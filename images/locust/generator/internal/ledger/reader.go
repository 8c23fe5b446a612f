package ledger

import (
	"math"
	"strings"

	"chatapp/generator/internal/ranges"
	"chatapp/generator/internal/wire"
)

// tailLimit is how many ids are remembered between two cursors, for a server
// that sends no cursor with its messages.
const tailLimit = 20_000

// Always is a resumedBefore that is later than every message.
const Always = math.MaxInt64

// Outcome is what a shown message was.
type Outcome string

// Outcomes of Deliver.
const (
	New       Outcome = "new"
	Duplicate Outcome = "duplicated"
	Reordered Outcome = "reordered"
	Foreign   Outcome = "foreign"
	Overlap   Outcome = "overlap"
	Corrupt   Outcome = "corrupt"
)

// base is the id of a topic's last message at a welcome: "" for none; open
// where the welcome does not tell.
type base struct {
	id   string
	open bool
}

// gap is an announced gap of one topic: low is the id of the last message seen
// before, base that of the last one listed after it, at when it was announced,
// µs.
type gap struct {
	low  string
	base base
	at   int64
}

// view is what a reader knows of one topic.
type view struct {
	base base
	// at is when the welcome arrived, µs.
	at int64
	// last is the greatest id seen so far.
	last string
	// seen are the ordinals of the messages that were shown.
	seen ranges.Set
	gaps []gap
	roll *Roll
}

// Reader is one reader's account over all its connections: what it was shown,
// and from where on it is owed. What is owed begins at the first welcome: after
// the topic's last message there; or, where the welcome lists none and says
// that there is more, with what was put on the wire after the welcome came.
//
// Like its Ledger it is not for concurrent use.
type Reader struct {
	Name string
	// Attached: connected at the end and heard out, so owed everything; else
	// owed only what it got past.
	Attached bool
	ledger   *Ledger
	topics   map[string]*view
	order    []string
	// tail holds the ids received since the last cursor.
	tail map[string]struct{}
}

// Welcome is a confirmed position at instant at (µs, its greatest error
// added): the first one of this reader, or one whose cursor was not honoured.
// For one that was honoured, deliver its messages.
func (r *Reader) Welcome(topics []string, messages []*wire.Message, more bool, at int64) {
	latest := map[string]base{}
	for _, topic := range topics {
		latest[topic] = base{open: more}
	}
	for _, m := range messages {
		if known, ok := latest[m.Topic]; ok {
			latest[m.Topic] = base{id: max(known.id, m.ID)}
		}
	}
	if r.topics != nil {
		r.announcedGap(latest, messages, at)
		return
	}
	r.topics = map[string]*view{}
	for _, topic := range topics {
		if r.topics[topic] == nil {
			from := latest[topic]
			from.id = strings.Clone(from.id)
			r.topics[topic] = &view{base: from, at: at, last: from.id, roll: r.ledger.roll(topic)}
			r.order = append(r.order, topic)
		}
	}
	for _, m := range messages {
		// What is listed counts for nobody as delivered, but it must be whole.
		if _, _, err := r.ledger.mark(m); err != nil {
			r.ledger.Counts.Corrupt++
		}
	}
}

// announcedGap: the server could not honour the cursor and said so. Start again
// from the latest.
func (r *Reader) announcedGap(latest map[string]base, messages []*wire.Message, at int64) {
	r.ledger.Counts.Gaps++
	for topic, v := range r.topics {
		from, known := latest[topic]
		if !known {
			from.open = true
		}
		from.id = strings.Clone(from.id)
		v.gaps = append(v.gaps, gap{v.last, from, at})
	}
	for _, m := range messages {
		// The latest messages repeat what was already shown: no duplicates here.
		if v := r.topics[m.Topic]; v != nil && m.ID > v.last {
			r.Deliver(m, Always)
		}
	}
}

// Position is told after each frame whether it carried a cursor. Without one
// its messages may come again on resume, and are then no duplicates.
func (r *Reader) Position(confirmed bool, messages []*wire.Message) {
	if confirmed {
		clear(r.tail)
		return
	}
	if len(r.tail) < tailLimit {
		if r.tail == nil {
			r.tail = map[string]struct{}{}
		}
		for _, m := range messages {
			r.tail[strings.Clone(m.ID)] = struct{}{}
		}
	}
}

// Deliver notes that a message was shown. Sent before the instant resumedBefore
// (µs) it came by a resume. The mark is nil unless it is new, a duplicate or
// out of order.
func (r *Reader) Deliver(m *wire.Message, resumedBefore int64) (Outcome, *Mark) {
	counts := &r.ledger.Counts
	known := r.ledger.know(m)
	if known.err != nil {
		counts.Corrupt++
		return Corrupt, nil
	}
	if !known.ours {
		counts.Foreign++
		return Foreign, nil
	}
	v := r.topics[m.Topic]
	if v == nil {
		counts.Corrupt++
		return Corrupt, nil
	}
	mark := &known.mark
	if known.ordinal < 0 {
		known.ordinal = v.roll.ordinal(m.ID, *mark)
	}
	ordinal := known.ordinal
	if !v.seen.Push(ordinal) {
		if _, again := r.tail[m.ID]; again {
			counts.Overlap++
			return Overlap, nil
		}
		counts.Duplicated++
		return Duplicate, mark
	}
	if len(v.roll.twins) > 0 && seenAsTwin(v, ordinal) {
		counts.Duplicated++
		return Duplicate, mark
	}
	counts.Delivered++
	if mark.Sent() < resumedBefore {
		counts.Recovered++
	}
	if m.ID <= v.last {
		counts.Reordered++
		return Reordered, mark
	}
	v.last = v.roll.Entries[ordinal].ID
	return New, mark
}

// seenAsTwin says whether this message was shown before under another id.
func seenAsTwin(v *view, ordinal int) bool {
	first, twin := v.roll.twins[ordinal]
	if !twin {
		first = ordinal
	}
	if first != ordinal && v.seen.Has(first) {
		return true
	}
	for other, one := range v.roll.twins {
		if one == first && other != ordinal && v.seen.Has(other) {
			return true
		}
	}
	return false
}
