package chat

import (
	"context"
	"time"
)

// Presence is how servers tell each other who is connected where. It is no part
// of the log. What is said here is soon out of date, and nothing depends on it.
// It may be used by many goroutines at once.
//
// internal/storetest has a test named after each clause.
type Presence interface {
	// Tell says who is at the named server, and gives the sum over all servers.
	//
	//  P1. A server that has not told for PresenceMemory does not count.
	//  P2. A server where nobody is, and that is not open, is forgotten at once.
	//  P3. A server counts among Servers only while it says that it is open;
	//      its people count in any case.
	//  P4. Users counts each account once, on however many servers it is, while
	//      one of them counts.
	//  P5. Stale says that what a server told of its accounts before is not
	//      what Delta.From says: it has to tell all of them. Until then they
	//      count as they did.
	Tell(ctx context.Context, server string, here Here) (Crowd, error)
}

const (
	// PresenceMemory is how long a silent server still counts. Servers call
	// every PresencePeriod; three calls may be lost.
	PresenceMemory = 8 * time.Second
	PresencePeriod = 2 * time.Second
)

// Here is what one server says of itself.
type Here struct {
	People int  // connected to it
	Guests int  // of them, those without account
	Open   bool // it takes more people

	Accounts *Delta // what has changed in who is signed in there; nil: nothing
}

// Delta is what has changed in the accounts that are signed in at a server
// since it told From. So a call costs as much as has changed, however many are
// connected.
type Delta struct {
	From, To   uint64   // names of two moments; From 0: Came is everybody
	Came, Went []string // accounts
}

// Crowd is all servers together.
type Crowd struct {
	People  int // connected to any server
	Guests  int // of them, those without account
	Users   int // different accounts connected to any server
	Servers int // that take more people
	Stale   bool
}
