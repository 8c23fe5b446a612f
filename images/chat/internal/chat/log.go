package chat

import (
	"context"
	"time"
)

// Bounds that the text forms of ids and cursors rely on.
const (
	MaxBatch      = 256 // messages in one Append; Pos.Idx has 8 bits
	MaxPartitions = 256 // ID.Part has 8 bits
)

// Log is the log: a small driver below the logic of Service. It is split into
// partitions, each an ordered sequence of events; a topic lives in one
// partition (PartitionOf). All methods may be called from many goroutines at
// once, except that each partition has at most one Append of this process
// under way (Service sees to that).
//
// The numbered clauses are the contract. internal/storetest has a test named
// after each, and every store passes all of them.
type Log interface {
	// Partitions is the number of partitions, 1 to MaxPartitions, the same
	// for every process on this log and for all its life.
	Partitions() int

	// Append takes 1 to MaxBatch events of topics of partition part. Their
	// drafts are clean and their IDs are ignored.
	//
	//  A1. On success there is one Appended per event, in the same order, and
	//      every event is durable: no loss of one process loses it.
	//  A2. New events get positions greater than all positions of the
	//      partition so far, ascending within the batch.
	//  A3. An event whose key was appended to its topic by its address in the
	//      last KeyMemory, or comes earlier in the same batch, is not appended
	//      again: Appended has the first one's ID and Duplicate is set. Racing
	//      appends of several processes agree on one. With another topic or
	//      another address (Draft.KeyDigest) it is another event.
	//  A4. The time within each ID is the log's, never before the previous
	//      event's.
	//  A5. On an error the outcome is unknown for the whole batch: each event
	//      is either appended once or not at all, and appending the same
	//      events again is safe.
	//  A6. Without the log, the error comes within ctx's deadline.
	//  A7. An event that replies to a message counts as a reply to it at once
	//      (Numbers). If retention has removed that message, or it is deleted,
	//      the event is not appended, its key stays free, and Refused is set;
	//      A3 comes before that.
	Append(ctx context.Context, part int, events []Event) ([]Appended, error)

	// Read gives events of a partition that come after a position.
	//
	//  R1. They are in order of position, without gap or repeat, from the
	//      first after the position on, up to Batch.Through, which is the
	//      position itself where nothing was read.
	//  R2. About max events at most are given (entries that were appended
	//      together come together; what does not fit comes with the next
	//      call). max is 1 or more.
	//  R3. If there is none, Read waits up to wait for one; then it returns
	//      none and no error. A wait of 0 does not wait.
	//  R4. An event is given as soon as it is appended, by whichever process.
	//  R5. Cancelling ctx ends the wait within a second.
	//  R6. What this version does not know, or what is damaged, is given as an
	//      event of a kind that is not Known: it never ends the reading. All
	//      processes of this version see it at the same position.
	//  R7. Where retention has removed events after the position, or what is
	//      there now does not follow on what was read, Gap is set in the batch
	//      that goes on beyond. (Of a position between
	//      events that were appended together this need not hold.)
	Read(ctx context.Context, part int, after Pos, max int, wait time.Duration) (Batch, error)

	// Before gives the last max events of a partition, of one topic or
	// (topic "") of all, whose position is before a bound.
	//
	//  B1. They are in order of position and directly precede the bound.
	//  B2. The bound need not be the position of an event, nor of that topic.
	//  B3. Events that retention has removed are left out.
	//  B4. R6 holds here, too. An event so damaged that its topic is not known
	//      is left out of the events of a topic. It is among those of all
	//      topics.
	Before(ctx context.Context, part int, topic string, before Pos, max int) ([]Event, error)

	// State tells where a partition begins and ends.
	//
	//  S1. Head is at or after every event whose Append has returned, in any
	//      process.
	//  S2. Every event after Floor is readable; Floor never decreases.
	//  S3. Epoch changes when, and only when, the log no longer has what
	//      readers were told: it was emptied, or lost its tail.
	State(ctx context.Context, part int) (State, error)

	// Topics lists the topics of a partition, in any order.
	//
	//  T1. Every topic with a retained event is listed, with the number of
	//      messages that are left of it and the time of its last event. (What
	//      an earlier version has removed is counted until the topic ends.)
	//  T2. A topic whose events have all been removed by retention is in time
	//      no longer listed, and costs nothing.
	Topics(ctx context.Context, part int) ([]TopicInfo, error)

	// Last gives, for each of the named topics of a partition, the position of
	// its last event.
	//
	//  T3. It is zero for a topic that is not listed. Once retention has
	//      removed all events of a topic it becomes zero in time (T2). All of
	//      it costs one question.
	Last(ctx context.Context, part int, topics []string) ([]Pos, error)

	// Close ends every call under way and frees everything; the events stay.
	Close() error
}

// KeyMemory is how long, at the least, a key names its first event.
const KeyMemory = 24 * time.Hour

// Appended is what became of one event.
type Appended struct {
	ID        ID
	Duplicate bool // the key was known: ID is the first event's
	Refused   bool // there is nothing (any more) to reply to: ID is zero
}

// State is where a partition begins and ends.
type State struct {
	Epoch uint64 // identity of the partition's past
	Head  Pos    // of its last message, zero when there never was one
	Floor Pos    // everything at or before it may have been removed
}

// TopicInfo describes a topic.
type TopicInfo struct {
	Topic    string
	Messages int64 // that retention has left
	Last     ID    // its last event; of a room that is silent, when it was made
}

// Retention says how much of the past the log keeps. Whichever limit is
// reached first removes the oldest messages, some time later and in lumps of
// at most RetentionStep messages a partition. Zero means no limit. The tags
// make it a group of settings of the command.
type Retention struct {
	Messages int64         `name:"keep-messages" default:"100000" env:"CHAT_KEEP_MESSAGES" min:"0" help:"messages the log keeps; 0: no limit"`       // over all partitions
	Bytes    int64         `name:"keep-bytes" default:"268435456" env:"CHAT_KEEP_BYTES" min:"0" help:"bytes of messages the log keeps; 0: no limit"` // of the fields of messages, over all partitions
	Age      time.Duration `name:"keep-age" default:"720h" env:"CHAT_KEEP_AGE" min:"0s" help:"age of the oldest message the log keeps; 0: no limit"` // by the log's clock
}

// RetentionStep is how many messages of a partition may outlive a limit: the
// log is cut at marks this far apart, or at a 16th of Retention.Messages if
// that is less.
const RetentionStep = 1000

// Step is the distance between marks for this retention.
func (r Retention) Step(partitions int) int64 {
	if r.Messages > 0 {
		return min(RetentionStep, max(1, r.Messages/int64(16*partitions)))
	}
	return RetentionStep
}

// Size is how many bytes of Retention.Bytes a draft takes.
func (d Draft) Size() int {
	n := len(d.Key) + len(d.Topic) + len(d.Name) + len(d.Email) + len(d.Content) + len(d.Account)
	if d.ReplyTo != (ID{}) {
		n += idText
	}
	return n
}
