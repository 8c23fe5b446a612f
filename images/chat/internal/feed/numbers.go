package feed

import (
	"slices"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// numbers is what a hub knows of the numbers beside messages: those that
// changed lately, and all of the window's. The hub's mutex guards it.
type numbers struct {
	by  map[chat.ID]*known
	seq uint64 // counts what was learned

	told  []chat.Rev // by partition: the tail has told everything up to here
	since []chat.Rev // by partition: every message that changed after is in by

	order []learned // by seq; an entry whose seq is not its message's is stale
	due   []chat.ID // wait to be told
}

type known struct {
	chat.Change
	seq  uint64
	sent time.Time // when subscribers were told last
	due  bool
}

type learned struct {
	id  chat.ID
	seq uint64
	rev chat.Rev
}

const (
	// updateGap is the least time between two updates of one message: at most
	// three in a second, and one more with an answer to the same client.
	updateGap = 350 * time.Millisecond
	// maxKnown is how many messages' numbers are kept beside the window's.
	maxKnown = 16_384
	// MaxUpdates is how many updates one subscriber may have to catch up with.
	MaxUpdates = 1000
	// revSlack is how much later than its Rev a change may be learned. Who
	// looks for changes after a Rev looks so much further back.
	revSlack = chat.Rev(30 * time.Second / time.Microsecond)
)

// Standing is the numbers of a log's recent end.
type Standing struct {
	Changes []chat.Change // of the messages that are there
	Revs    []chat.Rev    // by partition: everything up to here is in Changes
}

func (n *numbers) reset(partitions int, s Standing) {
	*n = numbers{
		by: map[chat.ID]*known{}, seq: n.seq,
		told: make([]chat.Rev, partitions), since: make([]chat.Rev, partitions),
	}
	copy(n.told, s.Revs)
	copy(n.since, s.Revs)
	for _, c := range s.Changes {
		n.learn(c)
	}
}

// learn takes in a change, unless something newer is known.
func (n *numbers) learn(c chat.Change) *known {
	k := n.by[c.ID]
	switch {
	case k == nil:
		k = &known{}
		n.by[c.ID] = k
	case k.Rev >= c.Rev:
		return nil
	}
	n.seq++
	k.Change, k.seq = c, n.seq
	n.order = append(n.order, learned{c.ID, k.seq, c.Rev})
	return k
}

// trim forgets the oldest numbers of messages that are not in the window.
func (n *numbers) trim(start []chat.Pos) {
	if len(n.order) > 8*maxKnown {
		n.order = slices.DeleteFunc(n.order, func(l learned) bool { k := n.by[l.id]; return k == nil || k.seq != l.seq })
	}
	if len(n.by) <= 2*maxKnown {
		return
	}
	n.order = slices.DeleteFunc(n.order, func(l learned) bool {
		k := n.by[l.id]
		if k == nil || k.seq != l.seq {
			return true
		}
		if len(n.by) <= maxKnown || k.due || l.id.Pos.Compare(start[l.id.Part]) > 0 {
			return false
		}
		delete(n.by, l.id)
		n.since[l.id.Part] = max(n.since[l.id.Part], l.rev)
		return true
	})
}

func update(c chat.Change) Item {
	b := &body{encoded: wire.Encoded{Plain: wire.AppendUpdate(make([]byte, 0, 96), c)}}
	return Item{ID: c.ID, Topic: c.Topic, body: b}
}

func updatesFrame(items []Item) *wire.Frame {
	return &wire.Frame{Text: wire.AppendUpdates(nil, Texts(items))}
}

// Updates makes the updates frame of changes.
func Updates(changes []chat.Change) *wire.Frame {
	items := make([]Item, len(changes))
	for i, c := range changes {
		items[i] = update(c)
	}
	return updatesFrame(items)
}

// learnedAfter gives what was learned after seq about messages of interest that are
// not after pos, the oldest first. ok is false if it is more than most.
func (n *numbers) learnedAfter(seq uint64, interest Interest, pos []chat.Pos, most int) (found []chat.Change, ok bool) {
	for i := len(n.order) - 1; i >= 0 && n.order[i].seq > seq; i-- {
		l := n.order[i]
		k := n.by[l.id]
		if k == nil || k.seq != l.seq || l.id.Pos.Compare(pos[l.id.Part]) > 0 || !interest.Wants(k.Topic) {
			continue
		}
		if len(found) == most {
			return nil, false
		}
		found = append(found, k.Change)
	}
	slices.Reverse(found)
	return found, true
}

// Since is the Rev after which a reader with a cursor at p has to be told of
// changes.
func Since(p chat.Pos) chat.Rev {
	rev := chat.RevAt(p)
	return rev - min(rev, chat.RevMargin)
}
