package chat

import "time"

// Tally is the numbers that are kept beside a message. They change; the
// message does not.
type Tally struct {
	Up, Down int64 // votes
	Replies  int64 // direct ones; a deleted one still counts
	Deleted  bool  // the content is not shown any more
}

// Rev orders the changes of a partition's tallies: a later change has a
// greater one. It is made of the log's clock, in microseconds since the Unix
// epoch, and never behind the time of a message that was appended before.
type Rev uint64

// RevAt is before every change from the time of a position on.
func RevAt(p Pos) Rev { return Rev(p.Ms * 1000) }

// RevMargin is how far before a cursor a change may lie that the reader of the
// cursor has not been told of.
const RevMargin = Rev(time.Second / time.Microsecond)

// Change is the tally of a message as its last change left it.
type Change struct {
	ID    ID
	Topic string
	Rev   Rev
	Tally
}
