package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chatapp/chat/internal/people"
)

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
