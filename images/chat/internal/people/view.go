package people

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"chatapp/chat/internal/chat"
)

// Patience is how long a view may be out of touch with the directory. A change
// that was answered holds everywhere within this time. So a process that has
// not reached the directory for longer shows nothing of rooms.
const Patience = 2 * time.Second

// View is what this process knows of the directory for its open connections:
// who is signed in on them, and what rooms they are members of. It follows the
// directory's changes, so asking it costs nothing. It is safe for use by many
// goroutines. Start starts its two, Close ends and joins them.
type View struct {
	dir    Directory
	logger *slog.Logger

	running sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
	heard   atomic.Int64  // when the directory was last reached; nanoseconds
	wake    chan struct{} // capacity 1: there is something to reload at once

	mu      sync.Mutex
	people  map[string]*person // with an open connection here, by account
	pending map[*Seat]struct{} // whose account is not known yet
	urgent  map[*person]struct{}
	later   map[*person]struct{}

	holders holders
}

// person is an account with at least one open connection here.
type person struct {
	v  *View
	id string

	loading sync.Mutex // held by each load, so that they are in order
	loaded  bool       // under loading
	verify  atomic.Bool
	unsure  atomic.Bool
	rooms   atomic.Pointer[map[string]Room]

	// Under View.mu:
	account Account
	seats   map[*Seat]struct{}
	left    map[string]uint64 // the version with which it left a room
}

// Watcher is told of what happens to an account with an open connection. Its
// methods are called with locks held: they must neither block nor call back.
type Watcher interface {
	// SignedOut: the token is over, and with it the connection.
	SignedOut()
	// RoomsChanged: Seat.Rooms gives something else than before.
	RoomsChanged()
	// Unsure: for a while the rights could not be checked, and something of a
	// room was held back. The connection is no longer without gaps.
	Unsure()
}

// Seat is one open connection of somebody who is signed in.
type Seat struct {
	v       *View
	token   Digest
	watcher Watcher

	// Under View.mu:
	person *person
	heard  []string // accounts that changed while the seat was pending
	closed bool
}

// NewView gives a view that has not been started.
func NewView(dir Directory, logger *slog.Logger) *View {
	v := &View{
		dir: dir, logger: logger.With("component", "people"), wake: make(chan struct{}, 1),
		people: map[string]*person{}, pending: map[*Seat]struct{}{},
		urgent: map[*person]struct{}{}, later: map[*person]struct{}{},
	}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Start starts following the directory, once.
func (v *View) Start() {
	v.running.Go(v.follow)
	v.running.Go(v.reload)
}

// Close ends the view's goroutines and waits for them.
func (v *View) Close() {
	v.cancel()
	v.running.Wait()
}

// Stale reports that the directory could not be reached for Patience.
func (v *View) Stale() bool {
	return time.Now().UnixNano()-v.heard.Load() > int64(Patience)
}

// Holder gives the account that holds an address, "" for none. It remembers
// both, so that a guest's posts ask the directory once.
func (v *View) Holder(ctx context.Context, address string) (string, error) {
	folded := chat.FoldAddress(address)
	id, turn, known := v.holders.get(folded)
	if known && !v.Stale() {
		return id, nil
	}
	a, err := v.dir.AccountAt(ctx, folded)
	if err != nil && !errors.Is(err, ErrNone) {
		return "", failed(err)
	}
	if !v.Stale() {
		v.holders.put(folded, a.ID, turn)
	}
	return a.ID, nil
}

// Online lists the accounts with an open connection here, in no order.
func (v *View) Online() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]string, 0, len(v.people))
	for id := range v.people {
		list = append(list, id)
	}
	return list
}
