package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"chatapp/chat/internal/people"
)

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
