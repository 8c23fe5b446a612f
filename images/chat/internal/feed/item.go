package feed

import (
	"slices"
	"sync"

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
	JSON  []byte // of a message: without its numbers

	body    *body
	numbers *chat.Counted // nil: none
}

// body is what all Items of one message share.
type body struct {
	encoded wire.Encoded
	message chat.Message
	at      func() filter.Message // of an ephemeral message; else nil

	once   sync.Once
	folded *filter.Folded // once a filter has asked
}

// Text is the item as it is sent.
func (it Item) Text() []byte {
	if it.numbers == nil {
		return it.JSON
	}
	return it.body.encoded.With(it.numbers.Tally, it.numbers.Vote)
}

// Size is about how many bytes of memory the item takes.
func (it Item) Size() int {
	if it.body == nil {
		return len(it.JSON)
	}
	return len(it.JSON) + it.body.message.Size()
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
	if it.body == nil || it.numbers != nil && it.numbers.Deleted {
		return false
	}
	it.body.once.Do(func() {
		subject := Subject(&it.body.message)
		if it.body.at != nil {
			subject = it.body.at()
		}
		folded := filter.Fold(subject)
		it.body.folded = &folded
	})
	return m.Match(it.body.folded)
}

// Subject is a message as a filter sees it.
func Subject(m *chat.Message) filter.Message {
	return filter.Message{
		Content: m.Content, Name: m.Name, Email: m.Email, Topic: m.Topic, Account: m.Account,
		Time: m.Time(), Reply: m.ReplyTo != chat.ID{}, Deleted: m.Deleted,
	}
}

// Encode makes the items of messages, in their order.
func Encode(messages []chat.Message) []Item {
	items := make([]Item, len(messages))
	for i, m := range messages {
		items[i] = encode(m)
	}
	return items
}

// encodeEvents makes the items of events that are all of a Known kind.
func encodeEvents(events []chat.Event) []Item {
	items := make([]Item, 0, len(events))
	for _, e := range events {
		if e.Kind.IsMessage() {
			items = append(items, encode(e.Message()))
		}
	}
	return items
}

func encode(m chat.Message) Item {
	encoded := wire.Encode(m)
	it := Item{ID: m.ID, Topic: m.Topic, JSON: encoded.Plain, body: &body{encoded: encoded, message: m}}
	if m.Rev != 0 || m.Vote != 0 {
		it.numbers = &chat.Counted{Change: chat.Change{ID: m.ID, Topic: m.Topic, Rev: m.Rev, Tally: m.Tally}, Vote: m.Vote}
	}
	return it
}

// encodeEphemerals makes the items of ephemeral messages.
func encodeEphemerals(list []chat.Ephemeral) []Item {
	items := make([]Item, len(list))
	for i, e := range list {
		order := chat.ID{Pos: chat.Pos{Seq: uint32(i + 1)}} // they have no id: this one keeps their order
		items[i] = Item{ID: order, Topic: e.Topic, JSON: wire.AppendEphemeral(make([]byte, 0, e.Size()+160), e), body: &body{
			at: func() filter.Message {
				return filter.Message{
					Content: e.Content, Name: e.Name, Email: e.Email, Topic: e.Topic, Account: e.Account, Time: e.At,
				}
			},
		}}
	}
	return items
}

func texts(items []Item) [][]byte {
	list := make([][]byte, len(items))
	for i, it := range items {
		list[i] = it.Text()
	}
	return list
}

// Texts gives the encoded items.
func Texts(items []Item) [][]byte { return texts(items) }

// Frame makes the messages frame of items. cursor covers everything up to the
// last of them.
func Frame(items []Item, cursor string) *wire.Frame { return wire.NewMessages(texts(items), cursor) }

// Sort puts items in the order of their ids, in place: partitions arrive each
// at its own pace.
func Sort(items []Item) {
	slices.SortFunc(items, func(a, b Item) int { return a.ID.Compare(b.ID) })
}
