package chat

import (
	"context"
	"time"
)

// Ephemeral is a message for whoever is connected now. It is kept nowhere.
type Ephemeral struct {
	Draft
	At time.Time // whole milliseconds, by the clock of the log
}

// Broadcast carries ephemeral messages between processes. It does not use the
// log, and writes nothing to a disk. All methods may be called from many
// goroutines at once.
//
// internal/storetest has a test named after each clause.
type Broadcast interface {
	// Send hands 1 to MaxBatch messages of topics of one partition to everybody
	// who listens, in any process, and gives the time of each.
	//
	//  E2. What one goroutine sends, one call after the other, comes in that
	//      order wherever it comes.
	//  E3. After an error some may have been sent. Send does not try again. A
	//      caller that does sends new messages.
	//  E4. Nothing of it is kept.
	Send(ctx context.Context, part int, drafts []Draft) ([]time.Time, error)

	// Listen calls take with what is sent after the call has begun, or a moment
	// later, until ctx ends. There is one call of take at a time for each
	// partition. While this process cannot be reached, it misses what is sent.
	Listen(ctx context.Context, take func(part int, list []Ephemeral))
}
