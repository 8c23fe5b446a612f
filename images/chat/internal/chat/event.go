package chat

// Kind says what an event is. Stores keep it as the first byte of a record, so
// a value never changes its meaning and is never used again.
type Kind byte

const (
	// KindMessage is a public message.
	KindMessage Kind = 'm'
	// KindDamaged stands for what is at a position of the log and cannot be
	// read. It is never appended.
	KindDamaged Kind = 0
)

// Known reports whether this version knows what to do with events of kind k.
// Whoever reads the log steps over the others: a later version wrote them.
func (k Kind) Known() bool { return k == KindMessage || k == kindFuture }

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
	// Draft is what a message consists of. Events of a kind that is not Known
	// have its Topic alone, and not even that where it cannot be read.
	Draft Draft
}

// NewEvent is what a draft becomes in the log.
func NewEvent(d Draft) Event { return Event{Kind: kindOf(d), Draft: d} }

// Message gives the message that an event of a Known kind is.
func (e Event) Message() Message { return Message{ID: e.ID, Draft: e.Draft} }

// Size is how many bytes of Retention.Bytes the event takes.
func (e Event) Size() int { return e.Draft.Size() }

// Batch is a stretch of one partition: all its events after one position, up
// to and including another. A reader goes on from Through, also when there is
// no event in between.
type Batch struct {
	After   Pos
	Events  []Event
	Through Pos
}
