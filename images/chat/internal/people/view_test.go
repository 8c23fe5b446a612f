package people_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/people"
)

// client is a connection that notes what it is told.
type client chan string

func (c client) SignedOut()    { c <- "signed out" }
func (c client) RoomsChanged() { c <- "rooms" }
func (c client) Unsure()       { c <- "unsure" }

// pod is another process on the same directory.
func (h *house) pod() (*people.View, *people.Service) {
	h.Helper()
	v := people.NewView(h.dir, slog.New(slog.DiscardHandler))
	v.Start()
	h.Cleanup(v.Close)
	h.until("the view follows", func() bool { return !v.Stale() })
	return v, people.NewService(h.dir, v, h.hasher, people.Options{})
}

func (h *house) open(v *people.View, token string) (*people.Seat, client) {
	h.Helper()
	c := make(client, 100)
	s, err := v.Open(h.Context(), token, c)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(s.Close)
	return s, c
}

// until polls; it is no measure of how fast something is.
func (h *house) until(what string, done func() bool) {
	h.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.Fatalf("gave up waiting until %s", what)
		}
	}
}

func (h *house) told(c client, want string) {
	h.Helper()
	for {
		select {
		case got := <-c:
			if got == want {
				return
			}
		case <-time.After(30 * time.Second):
			h.Fatalf("was never told %q", want)
		}
	}
}

func TestTokensEndOnEveryPod(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	ann, first := h.person("ann")
	var seats []client
	var tokens []string
	for range 4 {
		_, token, err := h.SignIn(t.Context(), ann.Email, secret)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := h.pod()
		_, c := h.open(v, token)
		seats, tokens = append(seats, c), append(tokens, token)
	}
	v, _ := h.pod()
	_, kept := h.open(v, first)
	h.code("sign out", h.SignOut(t.Context(), ann, tokens[0]), "")
	h.told(seats[0], "signed out")
	password := "another password"
	_, err := h.ChangeAccount(t.Context(), ann, first, nil, &password, secret)
	h.code("new password", err, "")
	for _, c := range seats[1:] {
		h.told(c, "signed out")
	}
	h.code("delete", h.DeleteAccount(t.Context(), ann, password), "")
	h.told(kept, "signed out")
	if _, err := v.Open(t.Context(), first, make(client, 9)); chat.AsError(err).Code != chat.CodeUnauthorised {
		t.Errorf("open with a token that is over: %v", err)
	}
	if got := v.Online(); len(got) != 0 {
		t.Errorf("online: %v", got)
	}
}

func TestRoomsFollowMembership(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	ann, annToken := h.person("ann")
	bob, bobToken := h.person("bob")
	there, _ := h.pod()
	here, _ := h.open(h.view, annToken)
	seat, told := h.open(there, bobToken)
	r, _, err := h.CreateRoom(t.Context(), ann, "k", "den", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !here.Principal().Rooms.Has(r.ID) {
		t.Error("the pod that answered does not know of the room")
	}
	h.code("add", h.AddMember(t.Context(), ann, r.ID, bob.Email), "")
	h.until("bob is a member", func() bool { return seat.Principal().Rooms.Has(r.ID) })
	h.told(told, "rooms")
	if got := seat.Rooms(); len(got) != 1 || got[0].Count != 2 || got[0].Name != "den" {
		t.Errorf("rooms %+v", got)
	}
	name := "new name"
	_, err = h.ChangeRoom(t.Context(), ann, r.ID, &name, nil)
	h.code("rename", err, "")
	h.until("the name is known", func() bool { l := seat.Rooms(); return len(l) == 1 && l[0].Name == name })
	h.code("remove", h.RemoveMember(t.Context(), ann, r.ID, bob.Email), "")
	if err := seat.Principal().Rooms.Check(t.Context()); err != nil || seat.Principal().Rooms.Has(r.ID) {
		t.Errorf("a member after the removal was answered, and Check: %v", err)
	}
	h.code("add", h.AddMember(t.Context(), ann, r.ID, bob.Email), "")
	h.until("bob is back", func() bool { return seat.Principal().Rooms.Has(r.ID) })
	h.code("delete", h.DeleteRoom(t.Context(), ann, r.ID), "")
	h.until("the room is gone", func() bool { return !seat.Principal().Rooms.Has(r.ID) && len(seat.Rooms()) == 0 })
}

// Of two things heard of a membership the later one holds, in whatever order
// they come: the log and the directory tell them by different roads.
func TestVersionsOrderMembership(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	ann, _ := h.person("ann")
	bob, token := h.person("bob")
	r, _, err := h.CreateRoom(t.Context(), ann, "k", "den", []string{bob.Email})
	if err != nil {
		t.Fatal(err)
	}
	seat, _ := h.open(h.view, token)
	rooms := seat.Principal().Rooms
	left := people.Change{Kind: people.Left, Room: r.ID, Account: bob.ID, Version: 1}
	if h.view.Heard(left); !rooms.Has(r.ID) {
		t.Error("a removal from before bob joined took him out")
	}
	left.Version = 3 // not in the directory yet: the log is ahead
	if h.view.Heard(left); rooms.Has(r.ID) {
		t.Error("a removal did nothing")
	}
	if err := rooms.Check(t.Context()); err != nil || rooms.Has(r.ID) {
		t.Errorf("what was read before the removal brought him back: %v", err)
	}
	h.code("remove", h.RemoveMember(t.Context(), ann, r.ID, bob.Email), "")
	h.code("add", h.AddMember(t.Context(), ann, r.ID, bob.Email), "")
	if h.view.Heard(left); !rooms.Has(r.ID) {
		t.Error("the removal, heard late, took him out again")
	}
}

// Without the directory nothing of rooms is given; when it is back, whoever
// missed something is told.
func TestNothingOfRoomsWithoutTheDirectory(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	ann, token := h.person("ann")
	r, _, err := h.CreateRoom(t.Context(), ann, "k", "den", nil)
	if err != nil {
		t.Fatal(err)
	}
	seat, told := h.open(h.view, token)
	rooms := seat.Principal().Rooms
	h.dir.away.Store(true)
	h.until("the room is held back", func() bool { return !rooms.Has(r.ID) })
	if !h.view.Stale() || len(seat.Rooms()) != 0 {
		t.Errorf("rooms %v", seat.Rooms())
	}
	h.code("check", rooms.Check(t.Context()), chat.CodeUnavailable)
	_, err = h.view.Open(t.Context(), token, make(client, 9))
	h.code("hello", err, chat.CodeUnavailable)
	h.dir.away.Store(false)
	h.told(told, "unsure")
	h.until("the room is back", func() bool { return rooms.Has(r.ID) })
}

func TestHolders(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	other, service := h.pod()
	holder := func() string {
		id, err := other.Holder(t.Context(), "ANN@example.org")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if got := holder(); got != "" {
		t.Errorf("held by %q", got)
	}
	if calls := h.dir.during(func() { holder() }); calls != "" {
		t.Errorf("an address asked for again costs %s", calls)
	}
	ann, _ := h.person("ann")
	h.until("the pod knows the holder", func() bool { return holder() == ann.ID })
	h.code("delete", service.DeleteAccount(t.Context(), ann, secret), "")
	if got := holder(); got != "" {
		t.Errorf("after the answer, on the pod that gave it: held by %q", got)
	}
}

func TestNameOnOpenConnections(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	ann, token := h.person("ann")
	v, _ := h.pod()
	seat, _ := h.open(v, token)
	if got := seat.Principal(); got.Name != "ann" || got.Account != ann.ID || got.Email != ann.Email || !got.SignedIn() {
		t.Errorf("%+v", got)
	}
	name := "Anna"
	_, err := h.ChangeAccount(t.Context(), ann, token, &name, nil, secret)
	h.code("rename", err, "")
	h.until("the new name is known", func() bool { return seat.Principal().Name == name })
}

func TestPrincipalOfACall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	ann, token := h.person("ann")
	r, _, err := h.CreateRoom(t.Context(), ann, "k", "den", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, a, err := h.view.Principal(t.Context(), token)
	if err != nil || a.ID != ann.ID || p.Account != ann.ID || !p.Rooms.Has(r.ID) || !slices.Equal(p.Rooms.List(), []string{r.ID}) {
		t.Errorf("%+v, %v, %v", p, a, err)
	}
	_, _, err = h.view.Principal(t.Context(), "no token")
	h.code("no token", err, chat.CodeUnauthorised)
}
