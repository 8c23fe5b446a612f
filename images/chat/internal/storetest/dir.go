package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"chatapp/chat/internal/people"
)

// DirectoryFactory makes a fresh, empty directory for one test.
type DirectoryFactory func(t *testing.T) *DirectoryUnderTest

// DirectoryUnderTest is a directory and what can be done to it.
type DirectoryUnderTest struct {
	// Open gives a handle such as another process has; closed with the test,
	// or by close before.
	Open func(t testing.TB) (d people.Directory, close func())
	// Shared says that several handles may be open at the same time.
	Shared bool
	// Advance moves the directory's clock on.
	Advance func(d time.Duration)
	// Crash kills whatever keeps the directory and brings it back; nil: it
	// can't be done. All handles are closed before, unless Shared.
	Crash func(t testing.TB)
	// Away takes the directory away; nil: it can't be done.
	Away func(t testing.TB) (back func())
}

// dir is an open directory with the helpers tests want.
type dir struct {
	*testing.T
	people.Directory
	u     *DirectoryUnderTest
	close func()
	n     int
}

func (d *dir) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	d.Cleanup(cancel)
	return ctx
}

// reopen gives another process' view: D3 for those that can be shared, a
// restart for the others.
func (d *dir) reopen() people.Directory {
	d.Helper()
	if !d.u.Shared {
		d.close()
		d.Directory, d.close = d.u.Open(d)
		return d.Directory
	}
	other, _ := d.u.Open(d)
	return other
}

// id makes an account's id that no other of the test has.
func (d *dir) id() string {
	d.n++
	return fmt.Sprintf("acc%013d", d.n)
}

func token(n int) (t people.Digest) {
	t[0], t[1], t[31] = byte(n), byte(n>>8), 1
	return t
}

// account registers name@example.org.
func (d *dir) account(name string) people.Account {
	d.Helper()
	a := people.Account{
		ID: d.id(), Email: name + "@Example.org", Folded: name + "@example.org",
		Name: "Zoë " + name, Password: "hash of " + name,
	}
	if err := d.Register(d.ctx(), a, people.Digest{}); err != nil {
		d.Fatalf("register %s: %v", name, err)
	}
	got, err := d.Account(d.ctx(), a.ID)
	if err != nil {
		d.Fatalf("read %s: %v", name, err)
	}
	return got
}

// room makes a room of these accounts, the first its creator.
func (d *dir) room(accounts ...people.Account) people.Room {
	d.Helper()
	d.n++
	n := people.NewRoom{ID: fmt.Sprintf("~room%012d", d.n), Name: "den", Creator: accounts[0].ID, Key: fmt.Sprint("k", d.n)}
	for _, a := range accounts {
		n.Members = append(n.Members, a.Folded)
	}
	r, repeated, err := d.CreateRoom(d.ctx(), n)
	if err != nil || repeated {
		d.Fatalf("create room: repeated %v, %v", repeated, err)
	}
	return r
}

func (d *dir) want(what string, err, want error) {
	d.Helper()
	if !errors.Is(err, want) || (want == nil && err != nil) {
		d.Errorf("%s: %v, want %v", what, err, want)
	}
}

func (d *dir) members(r people.Room, who string) []string {
	d.Helper()
	got, err := d.Room(d.ctx(), r.ID, who)
	if err != nil {
		d.Fatalf("read room as %s: %v", who, err)
	}
	var ids []string
	for _, m := range got.Members {
		ids = append(ids, m.Account)
	}
	if got.Count != len(ids) {
		d.Errorf("count %d of %d members", got.Count, len(ids))
	}
	return ids
}

func (d *dir) changesAfter(from string) []people.Change {
	d.Helper()
	var all []people.Change
	for {
		list, next, err := d.Changes(d.ctx(), from, 0)
		if err != nil {
			d.Fatalf("changes: %v", err)
		}
		if len(list) == 0 {
			return all
		}
		all, from = append(all, list...), next
	}
}

func second[T any](_ T, err error) error { return err }
