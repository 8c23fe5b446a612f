package feed

import (
	"slices"
	"sync/atomic"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/filter"
	"chatapp/chat/internal/wire"
)

// Item is a message, encoded once for all who get it; or an update of one, or
// an ephemeral message. It is not changed after it is made: numbers that
// change make another Item of the same message.
type Item struct {
	ID    chat.ID
	Topic string

	body    *body
	numbers *chat.Counted // nil: none
}

// body is what all Items of one message share.
type body struct {
	encoded wire.Encoded
	draft   *chat.Draft                   // of a message, where it was read; nil: an update
	at      *time.Time                    // of an ephemeral message; else nil
	folded  atomic.Pointer[filter.Folded] // nil until a filter asks
}

// Text is the item as it is sent.
func (it Item) Text() []byte {
	if it.numbers == nil {
		return it.body.encoded.Plain
	}
	return it.body.encoded.With(it.numbers.Tally, it.numbers.Vote)
}

// TextSize is about how many bytes Text has.
func (it Item) TextSize() int { return len(it.body.encoded.Plain) }

// Size is about how many bytes of memory the item takes.
func (it Item) Size() int {
	if it.body.draft == nil {
		return it.TextSize()
	}
	return it.TextSize() + it.body.draft.Size()
}

// rev is that of the numbers it has.
func (it Item) rev() chat.Rev {
	if it.numbers == nil {
		return 0
	}
	return it.numbers.Rev
}

// with gives the item with other numbers, and the same vote.
func (it Item) with(c chat.Change) Item {
	n := chat.Counted{Change: c}
	if it.numbers != nil {
		n.Vote = it.numbers.Vote
	}
	it.numbers = &n
	return it
}

// Voted gives items with the votes of one reader.
func Voted(items []Item, messages []chat.Message) []Item {
	votes := make(map[chat.ID]int8)
	for _, m := range messages {
		if m.Vote != 0 {
			votes[m.ID] = m.Vote
		}
	}
	if len(votes) == 0 {
		return items
	}
	items = slices.Clone(items)
	for i, it := range items {
		vote := votes[it.ID]
		if vote == 0 {
			continue
		}
		var n chat.Counted
		if it.numbers != nil {
			n = *it.numbers
		}
		n.Vote = vote
		items[i].numbers = &n
	}
	return items
}

// matches reports whether a filter lets the item through.
func (it Item) matches(m *filter.Matcher) bool {
	if it.body.draft == nil || it.numbers != nil && it.numbers.Deleted {
		return false
	}
	folded := it.body.folded.Load()
	if folded == nil {
		f := filter.Fold(it.subject())
		folded = &f
		it.body.folded.Store(folded) // goroutines that do this at once store the same
	}
	return m.Match(folded)
}

// subject is a message that is not deleted as a filter sees it.
func (it Item) subject() filter.Message {
	d, at := it.body.draft, it.ID.Time()
	if it.body.at != nil {
		at = *it.body.at
	}
	return filter.Message{
		Content: d.Content, Name: d.Name, Email: d.Email, Topic: d.Topic, Account: d.Account,
		Time: at, Reply: d.ReplyTo != chat.ID{},
	}
}

// Subject is a message as a filter sees it.
func Subject(m *chat.Message) filter.Message {
	return filter.Message{
		Content: m.Content, Name: m.Name, Email: m.Email, Topic: m.Topic, Account: m.Account,
		Time: m.Time(), Reply: m.ReplyTo != chat.ID{}, Deleted: m.Deleted,
	}
}

// makeItems makes room for n items. One alone, which is what most batches
// have, is made together with its body.
func makeItems(n int) ([]Item, []body) {
	if n == 1 {
		one := new(struct {
			items  [1]Item
			bodies [1]body
		})
		return one.items[:], one.bodies[:]
	}
	return make([]Item, n), make([]body, n)
}

// Encode makes the items of messages, in their order. Items keep the messages,
// which are not to be changed any more.
func Encode(messages []chat.Message) []Item {
	items, bodies := makeItems(len(messages))
	for i := range messages {
		m := &messages[i]
		encode(&items[i], &bodies[i], m.ID, &m.Draft)
		if m.Rev != 0 || m.Vote != 0 || m.Deleted {
			items[i].numbers = &chat.Counted{Change: chat.Change{ID: m.ID, Topic: m.Topic, Rev: m.Rev, Tally: m.Tally}, Vote: m.Vote}
		}
	}
	return items
}

// encodeEvents makes the items of events that are all of a Known kind. As for
// Encode, the events are kept.
func encodeEvents(events []chat.Event) []Item {
	if cap(events) > 2*len(events) {
		events = slices.Clone(events) // the window keeps this array, so it should be no larger
	}
	items, bodies := makeItems(len(events))
	n := 0
	for i := range events {
		if e := &events[i]; e.Kind.IsMessage() {
			encode(&items[n], &bodies[n], e.ID, &e.Draft)
			n++
		}
	}
	return items[:n:n]
}

func encode(it *Item, b *body, id chat.ID, d *chat.Draft) {
	b.encoded, b.draft = wire.Encode(id, d), d
	it.ID, it.Topic, it.body = id, d.Topic, b
}

// encodeEphemerals makes the items of ephemeral messages.
func encodeEphemerals(list []chat.Ephemeral) []Item {
	items, bodies := makeItems(len(list))
	for i := range list {
		e, b := &list[i], &bodies[i]
		b.encoded.Plain = wire.AppendEphemeral(make([]byte, 0, e.Size()+160), *e)
		b.draft, b.at = &e.Draft, &e.At
		order := chat.ID{Pos: chat.Pos{Seq: uint32(i + 1)}} // they have no id: this one keeps their order
		items[i] = Item{ID: order, Topic: e.Topic, body: b}
	}
	return items
}

func appendTexts(list [][]byte, items []Item) [][]byte {
	for _, it := range items {
		list = append(list, it.Text())
	}
	return list
}

// Texts gives the encoded items.
func Texts(items []Item) [][]byte { return appendTexts(make([][]byte, 0, len(items)), items) }

// Frame makes the messages frame of items. cursor covers everything up to the
// last of them.
func Frame(items []Item, cursor string) *wire.Frame {
	var room [16][]byte // enough for most batches, without an allocation
	return wire.NewMessages(appendTexts(room[:0], items), cursor)
}

// Sort puts items in the order of their ids, in place. The items of one
// partition are in order already; partitions may be mixed.
func Sort(items []Item) {
	slices.SortFunc(items, func(a, b Item) int { return a.ID.Compare(b.ID) })
}
