package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/people"
)

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
