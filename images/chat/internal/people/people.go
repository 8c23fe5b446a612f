// Package people knows who is speaking: accounts, the tokens of those signed
// in, private rooms and their members, saved filters. It holds the rules
// (Service), what this process keeps of them for its open connections (View),
// and the contract of what keeps them (Directory). It knows neither HTTP nor
// frames.
package people

import (
	"context"
)

// Service is the use cases of accounts, rooms and saved filters over a
// Directory. Its errors are for the person who asked: *chat.Error all. It is
// safe for use by many goroutines.
type Service struct {
	dir     Directory
	view    *View
	hasher  *Hasher
	options Options
}

// Options of a Service.
type Options struct {
	// RegistrationClosed: accounts are made by the operator alone.
	RegistrationClosed bool
	// CheckFilter says why a filter can't be read. Nil: every filter can.
	CheckFilter func(filter string) error
	// Removed puts into the log, durably, that an account has left a room with
	// this version. The removal is answered after that, so what is posted to
	// the room later comes later in the log, too. Nil: there is no log.
	Removed func(ctx context.Context, room, account string, version uint64) error
}

// NewService gives a service. It tells view of what it changes, so that a
// change holds in this process as soon as it is answered.
func NewService(dir Directory, view *View, hasher *Hasher, o Options) *Service {
	return &Service{dir: dir, view: view, hasher: hasher, options: o}
}
