package storetest

import (
	"context"
	"slices"
	"time"

	"chatapp/chat/internal/people"
)

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
