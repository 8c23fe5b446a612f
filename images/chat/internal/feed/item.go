package feed

import (
	"slices"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// Item is a message, encoded once for all who get it.
type Item struct {
	ID    chat.ID
	Topic string
	JSON  []byte
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
	return Item{ID: m.ID, Topic: m.Topic, JSON: wire.AppendMessage(make([]byte, 0, m.Size()+160), m)}
}

// Frame makes the messages frame of items. cursor covers everything up to the
// last of them.
func Frame(items []Item, cursor string) *wire.Frame {
	texts := make([][]byte, len(items))
	for i, it := range items {
		texts[i] = it.JSON
	}
	return wire.NewMessages(texts, cursor)
}

// Sort puts items in the order of their ids, in place: partitions arrive each
// at its own pace.
func Sort(items []Item) {
	slices.SortFunc(items, func(a, b Item) int { return a.ID.Compare(b.ID) })
}
