package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

// RunDirectory runs the suite of people.Directory.
func RunDirectory(t *testing.T, f DirectoryFactory) {
	for _, c := range []struct {
		name string
		test func(*dir)
	}{
		{"D1_DurableWhenAnswered", testDurable},
		{"D2_RepeatedCallsOfOneKindRace", testDirectoryRaces},
		{"D4_ErrorWithinTheDeadline", testDirectoryAway},
		{"N1_OneAccountPerAddress", testRegister},
		{"N1_RacingRegistrations", testRegisterRace},
		{"N2_EveryAccountIsListed", testAccounts},
		{"N3_NewPasswordEndsOtherTokens", testChange},
		{"N4_DeleteTakesAllWithIt", testDeleteAccount},
		{"N5_SignInWithAStalePassword", testSignIn},
		{"N6_TokensAreBounded", testManyTokens},
		{"N7_TokensLastSinceTheirLastUse", testTokenMemory},
		{"L1_WrongPasswordsLock", testWrong},
		{"M1_KeyNamesTheRoom", testRoomKey},
		{"M2_UnknownAndTooMany", testRoomRefusals},
		{"M3_StrangersFindNone", testStrangers},
		{"M4_OnlyTheCreator", testCreatorAlone},
		{"M5_AddAndRemoveAgain", testMembersAgain},
		{"M6_SuccessionAndTheLast", testSuccession},
		{"M7_AddRefusals", testAddRefusals},
		{"M8_ChangeRoom", testChangeRoom},
		{"Rooms_OfAnAccount", testRooms},
		{"Filters", testFilters},
		{"C1_EveryChangeOnce", testChanges},
		{"C1_ChangesWakeTheWaiting", testChangesWake},
		{"C2_LostPositions", testChangesLost},
		{"C3_CancelEndsTheWait", testChangesCancel},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := f(t)
			d := &dir{T: t, u: u}
			d.Directory, d.close = u.Open(t)
			c.test(d)
		})
	}
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

func testDurable(d *dir) {
	a, b := d.account("ann"), d.account("bob")
	d.want("sign in", d.SignIn(d.ctx(), a.ID, a.Password, token(1), ""), nil)
	r := d.room(a, b)
	d.want("save", d.SaveFilter(d.ctx(), a.ID, people.SavedFilter{Name: "n", Filter: "f"}), nil)
	if d.u.Crash != nil {
		if !d.u.Shared {
			d.close()
		}
		d.u.Crash(d)
	}
	other := d.reopen()
	got, err := other.Session(d.ctx(), token(1))
	if err != nil || got != a {
		d.Errorf("session %+v, %v; want %+v", got, err, a)
	}
	if got, err := other.AccountAt(d.ctx(), b.Folded); err != nil || got != b {
		d.Errorf("account %+v, %v; want %+v", got, err, b)
	}
	if got, err := other.Room(d.ctx(), r.ID, a.ID); err != nil || fmt.Sprint(got) != fmt.Sprint(r) {
		d.Errorf("room %+v, %v; want %+v", got, err, r)
	}
	if got, err := other.Filters(d.ctx(), a.ID); err != nil || len(got) != 1 || got[0].Filter != "f" {
		d.Errorf("filters %v, %v", got, err)
	}
}

// Joins and leaves race; whatever the order, the room's version has counted
// each of them, and each was told once.
func testDirectoryRaces(d *dir) {
	a := d.account("ann")
	r := d.room(a)
	_, from, err := d.Changes(d.ctx(), "", 0)
	d.want("position", err, nil)
	var others []people.Account
	for i := range 8 {
		others = append(others, d.account(fmt.Sprint("m", i)))
	}
	var wg sync.WaitGroup
	for _, o := range others {
		wg.Go(func() {
			for range 3 {
				if _, err := d.AddMember(d.ctx(), r.ID, a.ID, o.Folded); err != nil {
					d.Errorf("add: %v", err)
				}
				if _, err := d.RemoveMember(d.ctx(), r.ID, o.ID, o.Folded); err != nil {
					d.Errorf("remove: %v", err)
				}
			}
		})
	}
	wg.Wait()
	got, err := d.Room(d.ctx(), r.ID, a.ID)
	if err != nil || got.Count != 1 || got.Version != r.Version+8*3*2 {
		d.Errorf("room %+v, %v; want version %d", got, err, r.Version+8*3*2)
	}
	versions := map[uint64]int{}
	for _, c := range d.changesAfter(from) {
		if c.Room == r.ID {
			versions[c.Version]++
		}
	}
	for v := r.Version + 1; v <= got.Version; v++ {
		if versions[v] != 1 {
			d.Errorf("version %d was told %d times", v, versions[v])
		}
	}
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

func testDirectoryAway(d *dir) {
	if d.u.Away == nil {
		d.Skip("it can't be taken away")
	}
	defer d.u.Away(d)()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { _, err := d.Session(ctx, token(1)); done <- err }()
	select {
	case err := <-done:
		if err == nil || errors.Is(err, people.ErrNone) {
			d.Errorf("without the directory: %v", err)
		}
	case <-time.After(patience):
		d.Error("no answer long after the deadline")
	}
}

func testRegister(d *dir) {
	a := d.account("ann")
	if a.Created.IsZero() || !a.Created.Equal(a.Created.Truncate(time.Millisecond)) {
		d.Errorf("created %v", a.Created)
	}
	again := a
	again.ID = d.id()
	d.want("the address again", d.Register(d.ctx(), again, token(1)), people.ErrTaken)
	again.ID, again.Folded = a.ID, "other@example.org"
	d.want("the id again", d.Register(d.ctx(), again, token(1)), people.ErrTaken)
	_, err := d.Session(d.ctx(), token(1))
	d.want("token of a refused registration", err, people.ErrNone)
	_, err = d.AccountAt(d.ctx(), "nobody@example.org")
	d.want("no such address", err, people.ErrNone)
	_, err = d.Account(d.ctx(), "")
	d.want("no id", err, people.ErrNone)
	with := people.Account{ID: d.id(), Email: "b@example.org", Folded: "b@example.org", Name: "B", Password: "x"}
	d.want("register", d.Register(d.ctx(), with, token(2)), nil)
	if got, err := d.Session(d.ctx(), token(2)); err != nil || got.ID != with.ID {
		d.Errorf("first token: %+v, %v", got, err)
	}
}

func testRegisterRace(d *dir) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	ids := []string{d.id(), d.id(), d.id(), d.id(), d.id(), d.id()}
	for _, id := range ids {
		wg.Go(func() {
			err := d.Register(d.ctx(), people.Account{ID: id, Email: "e@example.org", Folded: "e@example.org", Name: "n", Password: "p"}, people.Digest{})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, people.ErrTaken) {
				d.Errorf("register: %v", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		d.Errorf("%d of racing registrations won", won)
	}
}

func testAccounts(d *dir) {
	want := map[string]bool{}
	for i := range 37 {
		want[d.account(fmt.Sprint("n", i)).ID] = true
	}
	for after := ""; ; {
		page, next, err := d.Accounts(d.ctx(), after, 10)
		if err != nil {
			d.Fatal(err)
		}
		for _, a := range page {
			delete(want, a.ID)
		}
		if after = next; next == "" {
			break
		}
	}
	if len(want) > 0 {
		d.Errorf("%d accounts were not listed", len(want))
	}
}

func testChange(d *dir) {
	a := d.account("ann")
	for i := range 3 {
		d.want("sign in", d.SignIn(d.ctx(), a.ID, a.Password, token(i), ""), nil)
	}
	name, password := "New", "new hash"
	got, err := d.Change(d.ctx(), a.ID, a.Password, people.AccountChange{Name: &name})
	if err != nil || got.Name != name || got.Password != a.Password || got.Email != a.Email {
		d.Errorf("name: %+v, %v", got, err)
	}
	_, err = d.Change(d.ctx(), a.ID, "wrong hash", people.AccountChange{Name: &password})
	d.want("stale", err, people.ErrStale)
	_, err = d.Change(d.ctx(), "nobody", "", people.AccountChange{Name: &name})
	d.want("nobody", err, people.ErrNone)
	for i := range 3 {
		if _, err := d.Session(d.ctx(), token(i)); err != nil {
			d.Errorf("token %d after a new name: %v", i, err)
		}
	}
	got, err = d.Change(d.ctx(), a.ID, a.Password, people.AccountChange{Password: &password, Keep: token(1)})
	if err != nil || got.Password != password || got.Name != name {
		d.Errorf("password: %+v, %v", got, err)
	}
	for i := range 3 {
		_, err := d.Session(d.ctx(), token(i))
		want := people.ErrNone
		if i == 1 {
			want = nil
		}
		d.want(fmt.Sprint("token ", i, " after a new password"), err, want)
	}
	// An operator knows no password.
	_, err = d.Change(d.ctx(), a.ID, "", people.AccountChange{Password: &a.Password})
	d.want("any password", err, nil)
	_, err = d.Session(d.ctx(), token(1))
	d.want("no token is kept", err, people.ErrNone)
}

func testDeleteAccount(d *dir) {
	a, b := d.account("ann"), d.account("bob")
	d.want("sign in", d.SignIn(d.ctx(), a.ID, a.Password, token(1), ""), nil)
	d.want("save", d.SaveFilter(d.ctx(), a.ID, people.SavedFilter{Name: "n", Filter: "f"}), nil)
	both, alone := d.room(a, b), d.room(a)
	d.want("stale", d.Delete(d.ctx(), a.ID, "wrong"), people.ErrStale)
	d.want("delete", d.Delete(d.ctx(), a.ID, a.Password), nil)
	d.want("delete again", d.Delete(d.ctx(), a.ID, a.Password), people.ErrNone)
	_, err := d.Account(d.ctx(), a.ID)
	d.want("account", err, people.ErrNone)
	_, err = d.Session(d.ctx(), token(1))
	d.want("token", err, people.ErrNone)
	if got := d.members(both, b.ID); !slices.Equal(got, []string{b.ID}) {
		d.Errorf("members %v", got)
	}
	if got, _ := d.Room(d.ctx(), both.ID, b.ID); got.Creator != b.ID {
		d.Errorf("creator %s", got.Creator)
	}
	_, err = d.Room(d.ctx(), alone.ID, a.ID)
	d.want("room without members", err, people.ErrNone)
	if rooms, err := d.Rooms(d.ctx(), a.ID); err != nil || len(rooms) != 0 {
		d.Errorf("rooms %v, %v", rooms, err)
	}
	if list, err := d.Filters(d.ctx(), a.ID); err != nil || len(list) != 0 {
		d.Errorf("filters %v, %v", list, err)
	}
	d.want("save for nobody", d.SaveFilter(d.ctx(), a.ID, people.SavedFilter{Name: "n"}), people.ErrNone)
	again := d.account("ann")
	if rooms, _ := d.Rooms(d.ctx(), again.ID); len(rooms) != 0 {
		d.Errorf("the next holder of the address has %v", rooms)
	}
}

func testSignIn(d *dir) {
	a := d.account("ann")
	d.want("stale", d.SignIn(d.ctx(), a.ID, "wrong", token(1), ""), people.ErrStale)
	d.want("nobody", d.SignIn(d.ctx(), "nobody", "", token(1), ""), people.ErrStale)
	_, err := d.Session(d.ctx(), token(1))
	d.want("token", err, people.ErrNone)
	d.want("hashed anew", d.SignIn(d.ctx(), a.ID, a.Password, token(2), "stronger"), nil)
	if got, err := d.Session(d.ctx(), token(2)); err != nil || got.Password != "stronger" {
		d.Errorf("session %+v, %v", got, err)
	}
	d.want("sign out", d.SignOut(d.ctx(), token(2)), nil)
	d.want("sign out again", d.SignOut(d.ctx(), token(2)), nil)
	_, err = d.Session(d.ctx(), token(2))
	d.want("token after signing out", err, people.ErrNone)
}

func testManyTokens(d *dir) {
	if testing.Short() {
		d.Skip("a thousand sign-ins")
	}
	a := d.account("ann")
	d.want("sign in", d.SignIn(d.ctx(), a.ID, a.Password, token(0), ""), nil)
	d.u.Advance(2 * time.Hour)
	for i := 1; i <= people.MaxTokens; i++ {
		if err := d.SignIn(d.ctx(), a.ID, a.Password, token(i), ""); err != nil {
			d.Fatal(err)
		}
	}
	_, err := d.Session(d.ctx(), token(0))
	d.want("the oldest", err, people.ErrNone)
	for _, i := range []int{1, people.MaxTokens} {
		_, err = d.Session(d.ctx(), token(i))
		d.want(fmt.Sprint("token ", i), err, nil)
	}
}

func testTokenMemory(d *dir) {
	a := d.account("ann")
	d.want("sign in", d.SignIn(d.ctx(), a.ID, a.Password, token(1), ""), nil)
	d.want("sign in", d.SignIn(d.ctx(), a.ID, a.Password, token(2), ""), nil)
	d.u.Advance(people.TokenMemory - time.Hour)
	_, err := d.Session(d.ctx(), token(1))
	d.want("used within", err, nil)
	d.u.Advance(2 * time.Hour)
	_, err = d.Session(d.ctx(), token(1))
	d.want("since its last use", err, nil)
	_, err = d.Session(d.ctx(), token(2))
	d.want("not used", err, people.ErrNone)
}

func testWrong(d *dir) {
	locked := func(what, folded string, want bool) {
		d.Helper()
		left, err := d.Locked(d.ctx(), folded)
		if err != nil || (left > 0) != want || left > people.LockTime {
			d.Errorf("%s: locked for %v, %v; want %v", what, left, err, want)
		}
	}
	wrong := func(folded string, n int) {
		for range n {
			d.want("note", d.Wrong(d.ctx(), folded), nil)
		}
	}
	a := d.account("ann")
	for _, folded := range []string{a.Folded, "nobody@example.org"} {
		wrong(folded, people.MaxWrong-1)
		locked("one less", folded, false)
		d.u.Advance(people.WrongMemory)
		wrong(folded, people.MaxWrong-1)
		locked("the first ones are forgotten", folded, false)
		wrong(folded, 1)
		locked("as many", folded, true)
		d.u.Advance(people.LockTime)
		locked("after the lock", folded, false)
		wrong(folded, 1)
		locked("one more", folded, true)
	}
	locked("another address", "other@example.org", false)
}

func testRoomKey(d *dir) {
	a, b := d.account("ann"), d.account("bob")
	make := func(by people.Account, key string, members ...string) (people.Room, bool, error) {
		d.n++
		return d.CreateRoom(d.ctx(), people.NewRoom{ID: fmt.Sprintf("~room%012d", d.n), Name: "den", Creator: by.ID, Key: key, Members: members})
	}
	first, repeated, err := make(a, "k", b.Folded)
	if err != nil || repeated {
		d.Fatalf("first: %v, %v", repeated, err)
	}
	again, repeated, err := make(a, "k", "nobody@example.org")
	if err != nil || !repeated || again.ID != first.ID || len(again.Members) != 2 {
		d.Errorf("again: %+v, %v, %v", again, repeated, err)
	}
	if other, repeated, err := make(b, "k"); err != nil || repeated || other.ID == first.ID {
		d.Errorf("another's key: %+v, %v, %v", other, repeated, err)
	}
	d.u.Advance(people.KeyMemory)
	later, repeated, err := make(a, "k")
	if err != nil || repeated || later.ID == first.ID {
		d.Errorf("after a day: %+v, %v, %v", later, repeated, err)
	}
	d.want("delete", d.DeleteRoom(d.ctx(), later.ID, a.ID), nil)
	_, _, err = make(a, "k")
	d.want("a key of a room that is gone", err, people.ErrNone)
}

func testRoomRefusals(d *dir) {
	a := d.account("ann")
	n := people.NewRoom{ID: "~aaaaaaaaaaaaaaaa", Name: "den", Creator: a.ID, Key: "k", Members: []string{"x@example.org", a.Folded, "y@example.org"}}
	_, _, err := d.CreateRoom(d.ctx(), n)
	if u, ok := errors.AsType[*people.UnknownAddresses](err); !ok || !slices.Equal(u.Addresses, []string{"x@example.org", "y@example.org"}) {
		d.Errorf("unknown addresses: %v", err)
	}
	n.Members = nil
	for i := range people.MaxRooms {
		n.ID, n.Key = fmt.Sprintf("~room%012d", i), fmt.Sprint("k", i)
		if _, _, err := d.CreateRoom(d.ctx(), n); err != nil {
			d.Fatalf("room %d: %v", i, err)
		}
	}
	n.ID, n.Key = "~bbbbbbbbbbbbbbbb", "more"
	_, _, err = d.CreateRoom(d.ctx(), n)
	d.want("one room too many", err, people.ErrTooMany)
	d.want("delete one", d.DeleteRoom(d.ctx(), "~room000000000000", a.ID), nil)
	_, _, err = d.CreateRoom(d.ctx(), n)
	d.want("room for one again", err, nil)
	_, _, err = d.CreateRoom(d.ctx(), people.NewRoom{ID: "~cccccccccccccccc", Name: "n", Creator: "nobody", Key: "k"})
	d.want("by nobody", err, people.ErrNone)
}

func testStrangers(d *dir) {
	a, b, c := d.account("ann"), d.account("bob"), d.account("cid")
	r := d.room(a, b)
	d.want("remove", second(d.RemoveMember(d.ctx(), r.ID, a.ID, b.Folded)), nil)
	for _, who := range []string{b.ID, c.ID, "nobody"} {
		for _, room := range []string{r.ID, "~zzzzzzzzzzzzzzzz"} {
			d.want("read", second(d.Room(d.ctx(), room, who)), people.ErrNone)
			d.want("add", second(d.AddMember(d.ctx(), room, who, c.Folded)), people.ErrNone)
			d.want("add nobody", second(d.AddMember(d.ctx(), room, who, "nobody@example.org")), people.ErrNone)
			d.want("remove", second(d.RemoveMember(d.ctx(), room, who, a.Folded)), people.ErrNone)
			d.want("remove oneself", second(d.RemoveMember(d.ctx(), room, who, c.Folded)), people.ErrNone)
			d.want("change", second(d.ChangeRoom(d.ctx(), room, who, "n", a.ID)), people.ErrNone)
			d.want("delete", d.DeleteRoom(d.ctx(), room, who), people.ErrNone)
		}
	}
	if got := d.members(r, a.ID); !slices.Equal(got, []string{a.ID}) {
		d.Errorf("members %v", got)
	}
}

func second[T any](_ T, err error) error { return err }

func testCreatorAlone(d *dir) {
	a, b, c := d.account("ann"), d.account("bob"), d.account("cid")
	r := d.room(a, b, c)
	d.want("add", second(d.AddMember(d.ctx(), r.ID, b.ID, c.Folded)), people.ErrForbidden)
	d.want("add nobody", second(d.AddMember(d.ctx(), r.ID, b.ID, "nobody@example.org")), people.ErrForbidden)
	d.want("remove another", second(d.RemoveMember(d.ctx(), r.ID, b.ID, c.Folded)), people.ErrForbidden)
	d.want("remove nobody", second(d.RemoveMember(d.ctx(), r.ID, b.ID, "nobody@example.org")), people.ErrForbidden)
	d.want("rename", second(d.ChangeRoom(d.ctx(), r.ID, b.ID, "n", "")), people.ErrForbidden)
	d.want("take over", second(d.ChangeRoom(d.ctx(), r.ID, b.ID, "", b.ID)), people.ErrForbidden)
	d.want("delete", d.DeleteRoom(d.ctx(), r.ID, b.ID), people.ErrForbidden)
	d.want("remove oneself", second(d.RemoveMember(d.ctx(), r.ID, b.ID, b.Folded)), nil)
	d.want("read", second(d.Room(d.ctx(), r.ID, b.ID)), people.ErrNone)
	d.want("remove", second(d.RemoveMember(d.ctx(), r.ID, a.ID, c.Folded)), nil)
	d.want("delete", d.DeleteRoom(d.ctx(), r.ID, a.ID), nil)
	d.want("read", second(d.Room(d.ctx(), r.ID, a.ID)), people.ErrNone)
}

func testMembersAgain(d *dir) {
	a, b := d.account("ann"), d.account("bob")
	r := d.room(a)
	first, err := d.AddMember(d.ctx(), r.ID, a.ID, b.Folded)
	if err != nil || first.Account != b.ID || first.Version <= r.Version {
		d.Errorf("add: %+v, %v", first, err)
	}
	again, err := d.AddMember(d.ctx(), r.ID, a.ID, b.Folded)
	if err != nil || again != first {
		d.Errorf("add again: %+v, %v; want %+v", again, err, first)
	}
	if got, err := d.Room(d.ctx(), r.ID, b.ID); err != nil || got.Joined != first.Version || got.Version != first.Version {
		d.Errorf("joined: %+v, %v", got, err)
	}
	gone, err := d.RemoveMember(d.ctx(), r.ID, a.ID, b.Folded)
	if err != nil || gone.Account != b.ID || gone.Version <= first.Version {
		d.Errorf("remove: %+v, %v", gone, err)
	}
	if again, err := d.RemoveMember(d.ctx(), r.ID, a.ID, b.Folded); err != nil || again != gone {
		d.Errorf("remove again: %+v, %v; want %+v", again, err, gone)
	}
	if got, err := d.RemoveMember(d.ctx(), r.ID, a.ID, "nobody@example.org"); err != nil || got.Account != "" {
		d.Errorf("remove nobody: %+v, %v", got, err)
	}
	back, err := d.AddMember(d.ctx(), r.ID, a.ID, b.Folded)
	if err != nil || back.Version <= gone.Version {
		d.Errorf("add once more: %+v, %v", back, err)
	}
}

func testSuccession(d *dir) {
	a, b, c := d.account("ann"), d.account("bob"), d.account("cid")
	r := d.room(a, c, b)
	if got := d.members(r, a.ID); !slices.Equal(got, []string{a.ID, c.ID, b.ID}) {
		d.Errorf("members %v", got)
	}
	d.want("the creator goes", second(d.RemoveMember(d.ctx(), r.ID, a.ID, a.Folded)), nil)
	if got, err := d.Room(d.ctx(), r.ID, b.ID); err != nil || got.Creator != c.ID || got.Count != 2 {
		d.Errorf("heir: %+v, %v", got, err)
	}
	d.want("comes back, last in line", second(d.AddMember(d.ctx(), r.ID, c.ID, a.Folded)), nil)
	d.want("delete the heir's account", d.Delete(d.ctx(), c.ID, ""), nil)
	if got, err := d.Room(d.ctx(), r.ID, a.ID); err != nil || got.Creator != b.ID {
		d.Errorf("next heir: %+v, %v", got, err)
	}
	d.want("goes", second(d.RemoveMember(d.ctx(), r.ID, b.ID, b.Folded)), nil)
	last, err := d.RemoveMember(d.ctx(), r.ID, a.ID, a.Folded)
	if err != nil || last.Version == 0 {
		d.Errorf("the last goes: %+v, %v", last, err)
	}
	d.want("room", second(d.Room(d.ctx(), r.ID, a.ID)), people.ErrNone)
	if rooms, err := d.Rooms(d.ctx(), a.ID); err != nil || len(rooms) != 0 {
		d.Errorf("rooms %v, %v", rooms, err)
	}
}

func testAddRefusals(d *dir) {
	a := d.account("ann")
	r := d.room(a)
	_, err := d.AddMember(d.ctx(), r.ID, a.ID, "nobody@example.org")
	if u, ok := errors.AsType[*people.UnknownAddresses](err); !ok || !slices.Equal(u.Addresses, []string{"nobody@example.org"}) {
		d.Errorf("unknown: %v", err)
	}
	n := people.NewRoom{ID: "~ffffffffffffffff", Name: "full", Creator: a.ID, Key: "full"}
	var more people.Account
	for i := range people.MaxMembers {
		more = d.account(fmt.Sprint("m", i))
		n.Members = append(n.Members, more.Folded)
	}
	_, _, err = d.CreateRoom(d.ctx(), n)
	d.want("one member too many", err, people.ErrTooMany)
	n.Members = n.Members[:people.MaxMembers-1]
	full, _, err := d.CreateRoom(d.ctx(), n)
	if err != nil || full.Count != people.MaxMembers || len(full.Members) != people.MaxMembers {
		d.Fatalf("full room: count %d, %v", full.Count, err)
	}
	d.want("one more", second(d.AddMember(d.ctx(), full.ID, a.ID, more.Folded)), people.ErrTooMany)
	d.want("who is in", second(d.AddMember(d.ctx(), full.ID, a.ID, n.Members[0])), nil)
}

func testChangeRoom(d *dir) {
	a, b, c := d.account("ann"), d.account("bob"), d.account("cid")
	r := d.room(a, b)
	got, err := d.ChangeRoom(d.ctx(), r.ID, a.ID, "new name", "")
	if err != nil || got.Name != "new name" || got.Creator != a.ID || len(got.Members) != 2 || got.Version <= r.Version {
		d.Errorf("rename: %+v, %v", got, err)
	}
	d.want("to a stranger", second(d.ChangeRoom(d.ctx(), r.ID, a.ID, "not this", c.ID)), people.ErrNotMember)
	if got, _ := d.Room(d.ctx(), r.ID, a.ID); got.Name != "new name" {
		d.Errorf("a refused change renamed it to %q", got.Name)
	}
	got, err = d.ChangeRoom(d.ctx(), r.ID, a.ID, "", b.ID)
	if err != nil || got.Creator != b.ID || got.Name != "new name" {
		d.Errorf("hand over: %+v, %v", got, err)
	}
	d.want("no longer the creator", second(d.ChangeRoom(d.ctx(), r.ID, a.ID, "x", "")), people.ErrForbidden)
	for i := range people.MaxRooms {
		if _, _, err := d.CreateRoom(d.ctx(), people.NewRoom{ID: fmt.Sprintf("~many%012d", i), Name: "n", Creator: a.ID, Key: fmt.Sprint("m", i)}); err != nil {
			d.Fatalf("room %d: %v", i, err)
		}
	}
	d.want("to whom has as many as are allowed", second(d.ChangeRoom(d.ctx(), r.ID, b.ID, "", a.ID)), people.ErrTooMany)
}

func testRooms(d *dir) {
	a, b := d.account("ann"), d.account("bob")
	r1, r2, _ := d.room(a, b), d.room(b, a), d.room(b)
	rooms, err := d.Rooms(d.ctx(), a.ID)
	if err != nil {
		d.Fatal(err)
	}
	slices.SortFunc(rooms, func(x, y people.Room) int { return strings.Compare(x.ID, y.ID) })
	r1.Members, r2.Members = nil, nil
	r2.Joined = 2 // a came after b
	if fmt.Sprint(rooms) != fmt.Sprint([]people.Room{r1, r2}) {
		d.Errorf("rooms %+v\nwant %+v", rooms, []people.Room{r1, r2})
	}
}

func testFilters(d *dir) {
	a, b := d.account("ann"), d.account("bob")
	for _, name := range []string{"b", "a", "ä c", "a"} {
		d.want("save", d.SaveFilter(d.ctx(), a.ID, people.SavedFilter{Name: name, Filter: "is:mine " + name}), nil)
	}
	got, err := d.Filters(d.ctx(), a.ID)
	want := []people.SavedFilter{{Name: "a", Filter: "is:mine a"}, {Name: "b", Filter: "is:mine b"}, {Name: "ä c", Filter: "is:mine ä c"}}
	if err != nil || !slices.Equal(got, want) {
		d.Errorf("filters %v, %v", got, err)
	}
	if got, err := d.Filters(d.ctx(), b.ID); err != nil || len(got) != 0 {
		d.Errorf("another's: %v, %v", got, err)
	}
	d.want("delete", d.DeleteFilter(d.ctx(), a.ID, "b"), nil)
	d.want("delete again", d.DeleteFilter(d.ctx(), a.ID, "b"), people.ErrNone)
	for i := range people.MaxFilters - 2 {
		d.want("save", d.SaveFilter(d.ctx(), a.ID, people.SavedFilter{Name: fmt.Sprint(i), Filter: "x"}), nil)
	}
	d.want("one too many", d.SaveFilter(d.ctx(), a.ID, people.SavedFilter{Name: "more", Filter: "x"}), people.ErrTooMany)
	d.want("replace", d.SaveFilter(d.ctx(), a.ID, people.SavedFilter{Name: "a", Filter: "y"}), nil)
}

func testChanges(d *dir) {
	a := d.account("ann")
	list, from, err := d.Changes(d.ctx(), "", time.Hour)
	if err != nil || len(list) != 0 {
		d.Fatalf("the present: %v, %v", list, err)
	}
	b := d.account("bob")
	d.want("sign in", d.SignIn(d.ctx(), b.ID, b.Password, token(1), ""), nil)
	d.want("sign out", d.SignOut(d.ctx(), token(1)), nil)
	name, password := "n", "p"
	d.want("change", second(d.Change(d.ctx(), b.ID, "", people.AccountChange{Name: &name, Password: &password, Keep: token(7)})), nil)
	r := d.room(a, b)
	d.want("rename", second(d.ChangeRoom(d.ctx(), r.ID, a.ID, "x", "")), nil)
	d.want("delete", d.Delete(d.ctx(), b.ID, ""), nil)
	d.want("delete room", d.DeleteRoom(d.ctx(), r.ID, a.ID), nil)
	want := []people.Change{
		{Kind: people.Registered, Account: b.ID, Address: b.Folded},
		{Kind: people.SignedOut, Account: b.ID, Token: token(1)},
		{Kind: people.Renamed, Account: b.ID},
		{Kind: people.NewPassword, Account: b.ID, Token: token(7)},
		{Kind: people.Joined, Room: r.ID, Account: a.ID, Version: 1},
		{Kind: people.Joined, Room: r.ID, Account: b.ID, Version: 2},
		{Kind: people.RoomChanged, Room: r.ID, Version: 3},
		{Kind: people.Left, Room: r.ID, Account: b.ID, Version: 4},
		{Kind: people.Deleted, Account: b.ID, Address: b.Folded},
		{Kind: people.RoomDeleted, Room: r.ID, Version: 5},
	}
	if got := d.changesAfter(from); !slices.Equal(got, want) {
		d.Errorf("changes\n%+v\nwant\n%+v", got, want)
	}
}

func testChangesWake(d *dir) {
	_, from, err := d.Changes(d.ctx(), "", 0)
	d.want("the present", err, nil)
	other := d.Directory
	if d.u.Shared {
		other = d.reopen()
	}
	got := make(chan int, 1)
	go func() {
		list, _, err := d.Changes(d.ctx(), from, patience)
		if err != nil {
			d.Errorf("changes: %v", err)
		}
		got <- len(list)
	}()
	err = other.Register(d.ctx(), people.Account{ID: d.id(), Email: "e", Folded: "e", Name: "n", Password: "p"}, people.Digest{})
	d.want("register", err, nil)
	if n := <-got; n != 1 {
		d.Errorf("woken with %d changes", n)
	}
}

func testChangesLost(d *dir) {
	_, _, err := d.Changes(d.ctx(), "9999999999999-7", 0)
	d.want("a position of the future", err, people.ErrLost)
	_, _, err = d.Changes(d.ctx(), "nonsense", 0)
	d.want("no position", err, people.ErrLost)
}

func testChangesCancel(d *dir) {
	_, from, err := d.Changes(d.ctx(), "", 0)
	d.want("the present", err, nil)
	ctx, cancel := context.WithCancel(d.ctx())
	done := make(chan error, 1)
	go func() { _, _, err := d.Changes(ctx, from, time.Hour); done <- err }()
	cancel()
	select {
	case err := <-done:
		d.want("cancelled", err, context.Canceled)
	case <-time.After(patience):
		d.Error("the wait goes on")
	}
}
