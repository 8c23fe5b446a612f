package chat

import (
	"context"
	"time"
)

// Principal says on whose behalf a call is made. It is an argument of every
// use case, never hidden in a context. The zero Principal is a guest.
type Principal struct {
	Account     string // the account's id; "" for a guest
	Email, Name string // of the account
	Rooms       Rooms  // what it is a member of; nil for a guest
}

// Guest is somebody who has not signed in.
var Guest Principal

// SignedIn reports whether the principal has an account.
func (p Principal) SignedIn() bool { return p.Account != "" }

// Rooms tells which rooms a principal is a member of. It is safe for use by
// many goroutines.
type Rooms interface {
	// Has reports whether the principal is a member of a room, as far as this
	// process has heard: a change holds here within 2 s. It never blocks.
	Has(room string) bool
	// List gives all of them, in no order.
	List() []string
	// Name gives the present name of one of them, "" for any other topic.
	Name(room string) string
	// Created tells when one of them was made; zero for any other topic.
	Created(room string) time.Time
	// Stale reports that for some time nobody could be asked, so that what Has
	// says is not known to be true.
	Stale() bool
	// Check asks the directory. When it has returned nil, Has knows of every
	// removal that was answered before Check was called.
	Check(ctx context.Context) error
}
