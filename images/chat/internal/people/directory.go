package people

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Directory is where accounts, tokens, rooms and saved filters are kept: a
// small driver below the rules of Service. All methods may be called from many
// goroutines and processes at once.
//
// Addresses are folded (chat.Fold) before they come here, passwords are
// hashes, tokens are digests. The clock is the directory's own.
//
// The numbered clauses are the contract. internal/storetest has a test named
// after each, and every store passes all of them.
//
//	D1. What a call has changed is durable when it returns, as durable as a
//	    message of the log that was acknowledged.
//	D2. A call is atomic: it takes effect once and whole, or not at all. After
//	    an error that is none of this package's the outcome is unknown.
//	D3. A call sees every change that was answered before it began, whichever
//	    process made it.
//	D4. Without the directory, an error comes within ctx's deadline.
type Directory interface {
	// Register adds an account and, unless token is zero, its first token.
	//
	//  N1. ErrTaken when the address or the id has an account. Of racing
	//      registrations of one address exactly one succeeds.
	Register(ctx context.Context, a Account, token Digest) error

	// Account gives an account by its id, AccountAt by its folded address.
	// ErrNone: there is none.
	Account(ctx context.Context, id string) (Account, error)
	AccountAt(ctx context.Context, folded string) (Account, error)

	// Accounts lists about max accounts, in no order; after is "" or the next
	// of the page before, which is "" on the last page.
	//
	//  N2. An account that is there all the time is listed once at least.
	Accounts(ctx context.Context, after string, max int) (page []Account, next string, err error)

	// Change changes an account whose password hash is was ("": whatever it
	// is; else ErrStale) and gives it as it is now. ErrNone: there is none.
	//
	//  N3. A new password ends every token of the account but keep.
	Change(ctx context.Context, id, was string, c AccountChange) (Account, error)

	// Delete removes an account whose password hash is was, as in Change.
	//
	//  N4. Its tokens, memberships and saved filters go with it; rooms as in
	//      RemoveMember. Its address is free again.
	Delete(ctx context.Context, id, was string) error

	// SignIn adds a token to an account whose password hash is was. rehash,
	// unless empty, takes the place of was: the same password, hashed anew.
	//
	//  N5. ErrStale when was is not the hash (any more): a sign-in that
	//      overlaps a change of the password does not outlive it.
	//  N6. More than MaxTokens: the one that was not used for longest ends.
	SignIn(ctx context.Context, id, was string, token Digest, rehash string) error

	// SignOut ends a token. A token that is not known is no error.
	SignOut(ctx context.Context, token Digest) error

	// Session gives the account of a token and counts as use of it.
	//
	//  N7. ErrNone when the token is not known, has ended, or was not used
	//      for TokenMemory, in whole hours.
	Session(ctx context.Context, token Digest) (Account, error)

	// Wrong notes a wrong password for a folded address, whether or not it has
	// an account. Locked tells how long the address is locked, 0 if it is not.
	//
	//  L1. MaxWrong wrong passwords within WrongMemory lock the address for
	//      LockTime from the last one on.
	Wrong(ctx context.Context, folded string) error
	Locked(ctx context.Context, folded string) (time.Duration, error)

	// CreateRoom makes a room. Its first member is the creator; the others
	// follow in their order.
	//
	//  M1. The same key of the same creator within KeyMemory makes no room: it
	//      gives the first one as it is now, and repeated. ErrNone when that is
	//      not there for the creator any more. This comes before all else.
	//  M2. *UnknownAddresses when some member's address has no account;
	//      ErrTooMany for more than MaxMembers, or more than MaxRooms by the
	//      creator. Then there is no room.
	CreateRoom(ctx context.Context, n NewRoom) (r Room, repeated bool, err error)

	// Room gives a room with its members, as one of them sees it; Rooms gives
	// all rooms of an account, in no order, without members.
	//
	//  M3. ErrNone for accounts that are no members, as for a room that never
	//      was. This holds for all calls below.
	Room(ctx context.Context, room, who string) (Room, error)
	Rooms(ctx context.Context, who string) ([]Room, error)

	// AddMember and RemoveMember change who is in a room, on behalf of by. The
	// version they give is the room's: see Room.Version.
	//
	//  M4. ErrForbidden unless by is the creator, or removes itself.
	//  M5. To add a member again, or to remove an account that is none,
	//      changes nothing and is no error.
	//  M6. When the creator goes, the longest-standing member becomes creator;
	//      when the last member goes, the room is deleted.
	//  M7. AddMember gives *UnknownAddresses for an address without account,
	//      ErrTooMany beyond MaxMembers.
	AddMember(ctx context.Context, room, by, folded string) (Membership, error)
	RemoveMember(ctx context.Context, room, by, folded string) (Membership, error)

	// ChangeRoom renames a room ("": not) and hands it over ("": not), both or
	// neither. DeleteRoom deletes it.
	//
	//  M8. ErrForbidden for members who are not the creator; ErrNotMember when
	//      the new creator is none; ErrTooMany when that one has MaxRooms.
	ChangeRoom(ctx context.Context, room, by, name, creator string) (Room, error)
	DeleteRoom(ctx context.Context, room, by string) error

	// Filters lists an account's saved filters by name. SaveFilter adds or
	// replaces one: ErrTooMany beyond MaxFilters, ErrNone without account.
	// DeleteFilter removes one: ErrNone when it is not there.
	Filters(ctx context.Context, who string) ([]SavedFilter, error)
	SaveFilter(ctx context.Context, who string, f SavedFilter) error
	DeleteFilter(ctx context.Context, who, name string) error

	// Changes waits up to wait for changes after a position and gives them in
	// order, with the position after them. After "" it gives no changes, and
	// the present position, at once.
	//
	//  C1. Calls that go on from a position give every change made after it
	//      once, whichever process made it.
	//  C2. ErrLost when that can't be done: the position is too old, or the
	//      directory lost what was there.
	//  C3. Cancelling ctx ends the wait within a second.
	Changes(ctx context.Context, after string, wait time.Duration) (list []Change, next string, err error)
}

// What a Directory answers; everything else means that it failed.
var (
	ErrNone      = errors.New("there is none")
	ErrTaken     = errors.New("the address has an account")
	ErrStale     = errors.New("the password has changed")
	ErrForbidden = errors.New("that is for the creator of the room")
	ErrNotMember = errors.New("no member of the room")
	ErrTooMany   = errors.New("there are as many as are allowed")
	ErrLost      = errors.New("changes were lost: start from what is there")
)

// UnknownAddresses says which addresses have no account, folded.
type UnknownAddresses struct{ Addresses []string }

func (e *UnknownAddresses) Error() string {
	return "addresses without account: " + strings.Join(e.Addresses, ", ")
}

// Bounds of what the directory keeps.
const (
	MaxMembers = 500 // of one room
	MaxRooms   = 100 // by one creator
	MaxFilters = 100 // of one account
	// MaxTokens bounds what one account can make the directory keep. No person
	// has as many devices.
	MaxTokens = 1000

	TokenMemory = 30 * 24 * time.Hour // since the last use
	KeyMemory   = 24 * time.Hour      // of a key that names the making of a room

	MaxWrong    = 10               // wrong passwords for one address
	WrongMemory = 15 * time.Minute // in which they count
	LockTime    = time.Minute      // of the address, after that
)

// Account is who signs in.
type Account struct {
	ID       string // 16 characters of a-z2-7, never given twice
	Email    string // as registered
	Folded   string // the same, folded: unique
	Name     string
	Password string    // its hash; see Hasher
	Created  time.Time // given by the directory; whole milliseconds
}

// AccountChange says what Directory.Change changes; nil: as it was.
type AccountChange struct {
	Name, Password *string
	Keep           Digest // the token that a new password does not end
}

// Digest names a token in the directory, which never sees the token itself.
type Digest [32]byte

// IsZero reports whether d names no token.
func (d Digest) IsZero() bool { return d == Digest{} }

// Room is a topic that only its members know of.
type Room struct {
	ID      string // its topic
	Name    string
	Creator string    // an account's id
	Created time.Time // given by the directory; whole milliseconds
	Count   int       // of members
	// Version grows with each change of the room. Joined is the version with
	// which the account that asked became a member: of two things heard of a
	// membership, the one with the higher version holds.
	Version, Joined uint64
	Members         []Member // the longest-standing first; nil where not asked for
}

// Member is an account as the members of a room see it.
type Member struct{ Account, Email, Name string }

// NewRoom is what Directory.CreateRoom makes a room of.
type NewRoom struct {
	ID, Name, Creator string
	Key               string   // names the attempt
	Members           []string // folded addresses; the creator's may be among them
}

// Membership is what became of one.
type Membership struct {
	Account string // "" if the address has none
	Version uint64 // the room's, now; after a removal its last one
}

// SavedFilter is a filter that an account has kept under a name.
type SavedFilter struct{ Name, Filter string }

// ChangeKind says what has changed.
type ChangeKind string

// The kinds of change that Directory.Changes tells.
const (
	Registered  ChangeKind = "registered"   // Account, Address
	Renamed     ChangeKind = "renamed"      // Account
	Deleted     ChangeKind = "deleted"      // Account, Address; its memberships come as Left
	SignedOut   ChangeKind = "signed-out"   // Account; Token has ended
	NewPassword ChangeKind = "new-password" // Account; every token but Token has ended
	Joined      ChangeKind = "joined"       // Room, Account, Version
	Left        ChangeKind = "left"         // Room, Account, Version
	RoomChanged ChangeKind = "room-changed" // Room, Version: its name or creator
	RoomDeleted ChangeKind = "room-deleted" // Room, Version
)

// Change is one change of the directory.
type Change struct {
	Kind    ChangeKind
	Account string
	Address string // folded
	Room    string
	Token   Digest
	Version uint64
}

func sortRooms(rooms []Room) {
	slices.SortFunc(rooms, func(a, b Room) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
}
