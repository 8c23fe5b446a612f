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

// Broadcast carries ephemeral messages between processes, by a road of its
// own: nothing of them comes into the log, or onto a disk. All methods may be
// called from many goroutines at once.
//
// internal/storetest has a test named after each clause.
type Broadcast interface {
	// Send hands 1 to MaxBatch messages of topics of one partition to everybody
	// who listens, in any process, and gives the time of each.
	//
	//  E2. What one goroutine sends, one call after the other, comes in that
	//      order wherever it comes.
	//  E3. After an error some may have been sent. They are not sent again:
	//      whoever does, sends others.
	//  E4. Nothing of it is kept.
	Send(ctx context.Context, part int, drafts []Draft) ([]time.Time, error)

	// Listen calls take with what is sent from about now on, one at a time for
	// each partition, until ctx ends. What is sent while this process cannot be
	// reached is lost to it.
	Listen(ctx context.Context, take func(part int, list []Ephemeral))
}
