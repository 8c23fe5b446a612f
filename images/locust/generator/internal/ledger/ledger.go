// Package ledger is the delivery ledger: who sent what, who was shown what, and
// what that proves. It is the Go half of chatload/ledger.py and of its
// neighbours, to the same verdicts (tests/golden/ledger), and pure: no sockets,
// no clock.
//
// A process keeps its posters' books, a roll of each topic, and its readers'
// accounts. The master makes the canons from all books and from the histories;
// each process then holds its readers against them.
package ledger

import (
	"fmt"

	"chatapp/generator/internal/ranges"
	"chatapp/generator/internal/wire"
)

// straysLimit is how many messages one process asks to be looked up again.
const straysLimit = 1_000

// Ledger is one process's books and accounts of one run. Not for concurrent
// use.
type Ledger struct {
	Run     string
	Counts  Counts
	Books   map[Stream]*Book
	readers []*Reader
	rolls   map[string]*Roll
}

// Open is the ledger of a run.
func Open(run string) *Ledger {
	return &Ledger{Run: run, Books: map[Stream]*Book{}, rolls: map[string]*Roll{}}
}

// Book of a stream, opened when first asked for.
func (l *Ledger) Book(topic, poster string) *Book {
	stream := Stream{topic, poster}
	if l.Books[stream] == nil {
		l.Books[stream] = &Book{}
	}
	return l.Books[stream]
}

// Reader opens the account of a new reader.
func (l *Ledger) Reader(name string) *Reader {
	r := &Reader{Name: name, Attached: true, ledger: l}
	l.readers = append(l.readers, r)
	return r
}

// roll of a topic.
func (l *Ledger) roll(topic string) *Roll {
	if l.rolls[topic] == nil {
		l.rolls[topic] = newRoll()
	}
	return l.rolls[topic]
}

// knowledge is what a ledger found out about a decoded message. It stays with
// the message, which many readers are shown: so it is found out once.
type knowledge struct {
	ledger *Ledger
	mark   Mark
	ours   bool
	err    error
	// ordinal in its topic's roll; -1 while nobody was shown it.
	ordinal int
}

// know is what this ledger knows about a message.
func (l *Ledger) know(m *wire.Message) *knowledge {
	if k, ok := m.Note.(*knowledge); ok && k.ledger == l {
		return k
	}
	k := &knowledge{ledger: l, ordinal: -1}
	k.mark, k.ours, k.err = ReadMark(m.Content)
	k.ours = k.ours && k.mark.Run == l.Run
	m.Note = k
	return k
}

// mark is a message's mark; ok when it belongs to this run, an error when it is
// damaged.
func (l *Ledger) mark(m *wire.Message) (mark Mark, ok bool, err error) {
	k := l.know(m)
	return k.mark, k.ours, k.err
}

// History is a topic as read back: its messages of this run, oldest first, and
// how many were damaged.
type History struct {
	Entries []Entry
	Corrupt int
}

// Packed is the form that travels to the master.
func (h History) Packed() []any {
	entries := make([]any, len(h.Entries))
	for i, e := range h.Entries {
		entries[i] = []any{e.ID, e.Poster, e.Seq, e.Sent}
	}
	return []any{entries, h.Corrupt}
}

// History of a topic that was read back, oldest first.
func (l *Ledger) History(messages []*wire.Message) History {
	var h History
	for _, m := range messages {
		mark, ok, err := l.mark(m)
		if err != nil {
			h.Corrupt++
		} else if ok {
			h.Entries = append(h.Entries, Entry{m.ID, mark.Poster, mark.Seq, mark.Sent()})
		}
	}
	return h
}

// Total are the counts so far.
func (l *Ledger) Total() Counts {
	c := l.Counts
	for _, book := range l.Books {
		c.Sent += len(book.IDs)
		c.Acknowledged += book.Acknowledged
	}
	return c
}

// Behind are those of readers that have yet to be shown something of the canon.
func (l *Ledger) Behind(readers []*Reader, canons map[string]*Canon) map[*Reader]bool {
	blocks := map[string][]block{}
	waits := func(topic string, v *view) bool {
		canon := canons[topic]
		if canon == nil || canon.start(v) >= len(canon.entries) {
			return false
		}
		if _, made := blocks[topic]; !made {
			blocks[topic] = canon.blocks(v.roll)
		}
		missing := ranges.Of(canon.start(v), len(canon.entries)).Minus(seenIn(blocks[topic], v.seen))
		for _, g := range v.gaps {
			missing.Remove(canon.gap(g))
		}
		return !missing.Empty()
	}
	out := map[*Reader]bool{}
	for _, r := range readers {
		for topic, v := range r.topics {
			if waits(topic, v) {
				out[r] = true
				break
			}
		}
	}
	return out
}

// Settle holds this process's readers against the canons. What the books prove
// is counted where the canons were made, so that a sum over processes counts
// each thing once.
func (l *Ledger) Settle(canons map[string]*Canon) Verdict {
	c := l.Counts
	v := Verdict{
		Delivered: c.Delivered, Duplicated: c.Duplicated, Reordered: c.Reordered, Recovered: c.Recovered,
		Corrupt: c.Corrupt, Gaps: c.Gaps, Foreign: c.Foreign, Overlap: c.Overlap,
		Readers: len(l.readers), Examples: []string{},
	}
	byTopic := map[string][]*Reader{}
	var topics []string
	for _, r := range l.readers {
		if !r.Attached {
			v.Left++
		}
		for _, topic := range r.order {
			if byTopic[topic] == nil {
				topics = append(topics, topic)
			}
			byTopic[topic] = append(byTopic[topic], r)
		}
	}
	for _, topic := range topics {
		canon := canons[topic]
		if canon == nil {
			canon = NewCanon(nil, nil, nil)
		}
		l.settleTopic(topic, byTopic[topic], canon, &v)
	}
	for _, one := range []struct {
		number int
		word   string
	}{{c.Duplicated, "duplicated"}, {c.Reordered, "reordered"}, {c.Corrupt, "corrupt"}, {c.Gaps, "gaps"}} {
		if one.number > 0 {
			v.example(fmt.Sprintf("%d %s", one.number, one.word))
		}
	}
	return v
}

// settleTopic adds what the readers of one topic prove.
func (l *Ledger) settleTopic(topic string, readers []*Reader, canon *Canon, out *Verdict) {
	roll := l.roll(topic)
	blocks := canon.blocks(roll)
	misnamed := map[Entry]bool{}
	for _, e := range roll.misnamed {
		misnamed[e] = true
		out.Misnamed++
		out.example(fmt.Sprintf("%s: %s's %d was also shown as %s", topic, e.Poster, e.Seq, e.ID))
	}
	var unsent []int
	for ordinal, e := range roll.Entries {
		if e.Seq >= canon.sizes[e.Poster] {
			unsent = append(unsent, ordinal)
		}
		index, found := canon.index[place{e.Poster, e.Seq}]
		if found && canon.entries[index].ID != e.ID && !misnamed[e] {
			out.Misnamed++
			out.example(fmt.Sprintf("%s: %s's %d is %s, and was shown as %s",
				topic, e.Poster, e.Seq, canon.entries[index].ID, e.ID))
		}
	}
	for _, r := range readers {
		v := r.topics[topic]
		strange := 0
		for _, ordinal := range unsent {
			if v.seen.Has(ordinal) {
				strange++
			}
		}
		if strange > 0 {
			out.Unexpected += strange
			out.Delivered -= strange
			out.example(fmt.Sprintf("%s: %s was shown %d that nobody sent", topic, r.Name, strange))
		}
		settleView(topic, r, v, canon, blocks, out)
	}
}

// settleView adds what one reader's view of one topic proves.
func settleView(topic string, r *Reader, v *view, canon *Canon, blocks []block, out *Verdict) {
	start, stop := canon.start(v), len(canon.entries)
	if !r.Attached {
		stop = canon.after(v.last)
	}
	if start >= stop {
		return
	}
	out.Owed += stop - start
	missing := ranges.Of(start, stop).Minus(seenIn(blocks, v.seen))
	if missing.Empty() {
		return
	}
	var skipped ranges.Set
	for _, g := range v.gaps {
		// Only what the history has can be found there by whom the gap concerns.
		held := missing.Within(canon.gap(g))
		if canon.known {
			held = held.Common(canon.kept)
		}
		for e := held.Edges(); len(e) > 0; e = e[2:] {
			skipped.Add(e[0], e[1])
		}
	}
	lost := missing.Minus(skipped)
	out.Skipped += skipped.Len()
	out.Lost += lost.Len()
	if !lost.Empty() {
		first := canon.entries[lost.Edges()[0]]
		out.example(fmt.Sprintf("%s: %s lost %d, first %s's %d",
			topic, r.Name, lost.Len(), first.Poster, first.Seq))
	}
	if !skipped.Empty() {
		out.example(fmt.Sprintf("%s: %s was told of a gap of %d", topic, r.Name, skipped.Len()))
	}
}

// Strays are ids by topic of what was sent and shown here and is in no canon:
// acknowledged never, and not in the history when that was read. It may have
// come later: to be looked up again.
func (l *Ledger) Strays(canons map[string]*Canon) map[string][]string {
	out := map[string][]string{}
	number := 0
	for topic, roll := range l.rolls {
		canon := canons[topic]
		if canon == nil || !canon.known {
			continue
		}
		for _, e := range roll.Entries {
			_, found := canon.index[place{e.Poster, e.Seq}]
			if !found && e.Seq < canon.sizes[e.Poster] {
				out[topic] = append(out[topic], e.ID)
				if number++; number >= straysLimit {
					return out
				}
			}
		}
	}
	return out
}
