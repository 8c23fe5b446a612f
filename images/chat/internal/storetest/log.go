package storetest

import (
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// Factory makes a fresh, empty log for one test. The log ends with the test.
// It is called from several tests at once.
type Factory func(t *testing.T, o Options) *Log

// Options is what a test needs of its log.
type Options struct {
	// Partitions is how many the test would like. A store that cannot have
	// them gives what it has; tests go by Log.Partitions.
	Partitions int
	Retention  chat.Retention
	// Alone says that the test will call Away or Crash, so that whatever
	// keeps the log must keep no other test's.
	Alone bool
}

// Store is what keeps a log, and presence beside it.
type Store interface {
	chat.Log
	chat.Presence
	chat.Numbers
	chat.Broadcast
}

// Log is a log under test and what can be done to it. A nil function is what
// this store cannot do; the tests that need it are left out.
type Log struct {
	// Open gives a handle on the log such as another process has. The test
	// closes it; opening again after that is a restart.
	Open func(t testing.TB) Store
	// Shared says that several handles may be open at the same time.
	Shared bool
	// Advance moves the log's clock on. Without it tests wait in real time.
	Advance func(d time.Duration)
	// Crash kills whatever keeps the log without warning and brings it back.
	// Open handles stay open if Shared; else all are closed before.
	Crash func(t testing.TB)
	// Away takes the log away until back is called: no answer, or refusal.
	Away func(t testing.TB) (back func())
	// Empty removes everything behind the open handles' backs.
	Empty func(t testing.TB)
	// Rewrite changes the record of an event as it is stored.
	Rewrite func(t testing.TB, at chat.ID, edit func(record string) string)
	// Damages are ways to make the event at a position unreadable, as a disk
	// or a stranger might. What was appended together with it may be lost, too.
	Damages []Damage
}

// Damage is one way to spoil what is stored.
type Damage struct {
	Name string
	Do   func(t testing.TB, at chat.ID)
}
