package chat

import (
	"math"
	"strconv"
)

// Kind says what an event is. Stores keep it as the first byte of a record, so
// a value never changes its meaning and is never used again.
type Kind byte

const (
	// KindMessage is a public message, KindRoom one of a private room: a kind of
	// its own, so that a version that knows nothing of rooms steps over it.
	KindMessage Kind = 'm'
	KindRoom    Kind = 'r'
	// KindLeft says that an account is no member of a room any more: what comes
	// after it in the log is not for that account. Event.Departure reads it. It
	// lies in the partition of the room, but in a topic of its own: nobody said
	// it, so it is not the last message of the room.
	KindLeft Kind = 'x'
	// KindDamaged stands for what is at a position of the log and cannot be
	// read. It is never appended.
	KindDamaged Kind = 0
)

// Known reports whether this version knows what to do with events of kind k.
// Whoever reads the log steps over the others: a later version wrote them.
func (k Kind) Known() bool { return k.IsMessage() || k == KindLeft }

// IsMessage reports whether events of kind k are messages.
func (k Kind) IsMessage() bool { return k == KindMessage || k == KindRoom || k == kindFuture }

// String is the name of a kind in metrics and in the server's log.
func (k Kind) String() string {
	switch {
	case k == KindDamaged:
		return "damaged"
	case '!' <= k && k <= '~':
		return string(rune(k))
	default:
		return "0x" + string(appendHex(nil, uint64(k), 2))
	}
}

// Event is one thing that happened, at one position of the log. Before the
// log has taken it, it has no ID.
type Event struct {
	ID   ID
	Kind Kind
	// Draft is what a message consists of; KindLeft says what it is there.
	// Events of a kind that is not Known have its Topic alone, and not even
	// that where it cannot be read.
	Draft Draft
}

// NewEvent is what a draft becomes in the log.
func NewEvent(d Draft) Event {
	kind := KindMessage
	switch {
	case isFuture(d.Content):
		kind = kindFuture
	case IsRoom(d.Topic):
		kind = KindRoom
	}
	return Event{Kind: kind, Draft: d}
}

// Message gives the message that an event is, of a kind that IsMessage.
func (e Event) Message() Message { return Message{ID: e.ID, Draft: e.Draft} }

// stray reports a message that a server from before rooms took for a topic that
// begins with ~. It is no public message, and nobody has checked that whoever
// posted it is a member of the room.
func (e Event) stray() bool { return e.Kind == KindMessage && IsRoom(e.Draft.Topic) }

// leftTopic is the topic of events of KindLeft. No room is called that.
const leftTopic = "~"

// departure is the event that says that an account has left a room.
func departure(key, room, account string, version uint64) Event {
	return Event{Kind: KindLeft, Draft: Draft{
		Key: key, Topic: leftTopic, Name: room, Account: account, Content: strconv.FormatUint(version, 10),
	}}
}

// Departure gives, of an event of KindLeft, who has left which room with which
// version of it. If the version cannot be read, it gives the highest, which
// keeps the account out.
func (e Event) Departure() (room, account string, version uint64) {
	room = e.Draft.Name
	if room == "" { // an earlier version kept it there
		room = e.Draft.Topic
	}
	version, err := strconv.ParseUint(e.Draft.Content, 10, 64)
	if err != nil {
		version = math.MaxUint64
	}
	return room, e.Draft.Account, version
}

// Size is how many bytes of Retention.Bytes the event takes.
func (e Event) Size() int { return e.Draft.Size() }

// Batch is a stretch of one partition: all its events after one position, up
// to and including another. A reader goes on from Through, also when there is
// no event in between.
type Batch struct {
	After   Pos
	Events  []Event
	Through Pos
	// Gap says that events are missing between After and the first of Events:
	// retention has removed them before they were read.
	Gap bool
}
