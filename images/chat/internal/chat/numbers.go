package chat

import (
	"context"
	"crypto/sha256"
	"time"
)

// Voter names an address among a message's votes: a digest, so that nothing
// kept beside messages shows who voted.
type Voter [16]byte

// VoterOf gives the voter of an address. Addresses that are the same are one
// voter.
func VoterOf(email string) Voter {
	sum := sha256.Sum256([]byte(FoldAddress(email)))
	return Voter(sum[:len(Voter{})])
}

// Ballot is what one voter thinks of one message: +1, -1, or 0 to take a vote
// back.
type Ballot struct {
	Message ID
	Topic   string // the message's
	Voter   Voter
	Vote    int8
}

// Counted is a message's tally, and the vote of the voter who asked.
type Counted struct {
	Change
	Vote int8
}

// Numbers is what is kept beside the messages of a log, partition by
// partition: votes, replies, deletions. The same store keeps both; Append
// counts the replies. All methods may be called from many goroutines at once.
//
// A message that nobody voted on, replied to or deleted costs nothing here.
//
// internal/storetest has a test named after each clause, and every store
// passes all of them.
type Numbers interface {
	// Vote counts 1 to MaxBatch ballots, in their order, for messages of one
	// partition.
	//
	//  V1. On success there is one Change per ballot, in the same order, with
	//      the tally after all of them; it is as durable as an append (A1).
	//  V2. A voter has at most one vote on a message, and the last one counts.
	//      The same ballot again changes nothing, not even Rev. This holds
	//      when several processes vote at once.
	//  V3. A message that is deleted, or that retention has removed, takes no
	//      vote: its Change has the zero ID.
	//  V4. On an error the outcome is unknown for each ballot; voting again is
	//      safe. Without the store, the error comes within ctx's deadline.
	Vote(ctx context.Context, part int, ballots []Ballot) ([]Change, error)

	// Delete marks a message of a topic as deleted, as durably as Append.
	//
	//  D1. Its other numbers stay, and its replies. Again changes nothing.
	//  D2. What retention has removed is not marked: the zero ID is given.
	Delete(ctx context.Context, id ID, topic string) (Change, error)

	// Tallies gives the tallies of messages of a partition, in the order of
	// positions; those without numbers have the zero Rev. Unless voter is the
	// zero Voter it gives that one's votes, too.
	//
	//  N1. It has every change that was acknowledged before the call.
	Tallies(ctx context.Context, part int, at []Pos, voter Voter) ([]Counted, error)

	// Replies gives the positions of the last max direct replies to a message
	// that are before a bound, in order.
	//
	//  N2. Every reply whose Append has returned is there, once; those that
	//      retention has removed may be.
	Replies(ctx context.Context, parent ID, before Pos, max int) ([]Pos, error)

	// Changed gives at most max messages that changed after a Rev, in order
	// of Rev, each with its newest tally. It may give fewer, but none only
	// when there is none.
	//
	//  N3. Every change is after RevAt(p) of every message p that was
	//      acknowledged before it.
	//  N4. What is removed by retention is in time no longer kept: neither
	//      its tally, nor votes, nor replies.
	Changed(ctx context.Context, part int, after Rev, max int) ([]Change, error)

	// Follow waits up to wait for changes after a Rev, and gives them with the
	// Rev to go on from. After 0 it gives none, and the present Rev, at once.
	//
	//  F1. Calls that go on from there give every change, whichever process
	//      made it. Of several changes of one message they may give the last
	//      alone, with its tally or a later one. Repeats are allowed.
	//  F2. Without a change Follow returns none and no error; a wait of 0 does
	//      not wait.
	//  F3. Cancelling ctx ends the wait within a second.
	Follow(ctx context.Context, part int, after Rev, wait time.Duration) ([]Change, Rev, error)

	// At gives the events at positions of a partition, in their order.
	//
	//  E1. Where there is none (any more) it is left out.
	At(ctx context.Context, part int, at []Pos) ([]Event, error)

	// Known gives the event that a key names (A3), if the key is known.
	Known(ctx context.Context, part int, key KeyDigest) (ID, bool, error)
}
