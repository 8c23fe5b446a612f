package chat

import (
	"context"
	"time"
)

// Presence is how servers tell each other who is connected where. It is
// beside the log: what is said here is soon out of date, and nothing depends
// on it. It may be used by many goroutines at once.
//
// internal/storetest has a test named after each clause.
type Presence interface {
	// Tell says who is at the named server, and gives the sum over all servers.
	//
	//  P1. A server that has not told for PresenceMemory does not count.
	//  P2. A server where nobody is, and that is not open, is forgotten at once.
	//  P3. A server counts among Servers only while it says that it is open;
	//      its people count in any case.
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
	Open   bool // it takes more people
}

// Crowd is all servers together.
type Crowd struct {
	People  int // connected to any server
	Servers int // that take more people
}
