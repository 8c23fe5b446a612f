package people_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/localstore"
	"chatapp/chat/internal/people"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is a cost that tests can pay often.
var cheap = people.Cost{Memory: 64, Passes: 1, Lanes: 1}

// house is a service over a directory in a file, whose calls are counted.
type house struct {
	*testing.T
	*people.Service
	dir    *counting
	view   *people.View
	hasher *people.Hasher
	skew   atomic.Int64
	gone   []string // "room account version" as they came to Options.Removed
}

func newHouse(t *testing.T, o people.Options) *house {
	t.Helper()
	h := &house{T: t}
	s, err := localstore.Open(localstore.Options{Dir: t.TempDir(), Now: func() time.Time {
		return time.Now().Add(time.Duration(h.skew.Load()))
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h.dir = &counting{Directory: s.Directory()}
	h.hasher = people.NewHasher(cheap, 1<<20)
	h.view = people.NewView(h.dir, slog.New(slog.DiscardHandler))
	h.view.Start()
	t.Cleanup(h.view.Close)
	o.Removed = func(_ context.Context, room, account string, version uint64) error {
		h.gone = append(h.gone, fmt.Sprint(room, " ", account, " ", version))
		return nil
	}
	h.Service = people.NewService(h.dir, h.view, h.hasher, o)
	return h
}

// counting counts the calls of a directory that matter here, by name, and can
// be cut off.
type counting struct {
	people.Directory
	mu    sync.Mutex
	calls []string
	away  atomic.Bool
}

var errAway = errors.New("the directory is away")

func (c *counting) note(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, name)
	if c.away.Load() {
		return errAway
	}
	return nil
}

// during gives the calls that f makes.
func (c *counting) during(f func()) string {
	c.mu.Lock()
	c.calls = nil
	c.mu.Unlock()
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.calls, " ")
}

func (c *counting) AccountAt(ctx context.Context, folded string) (people.Account, error) {
	if err := c.note("AccountAt"); err != nil {
		return people.Account{}, err
	}
	return c.Directory.AccountAt(ctx, folded)
}

func (c *counting) Locked(ctx context.Context, folded string) (time.Duration, error) {
	if err := c.note("Locked"); err != nil {
		return 0, err
	}
	return c.Directory.Locked(ctx, folded)
}

func (c *counting) Wrong(ctx context.Context, folded string) error {
	if err := c.note("Wrong"); err != nil {
		return err
	}
	return c.Directory.Wrong(ctx, folded)
}

func (c *counting) Session(ctx context.Context, token people.Digest) (people.Account, error) {
	if err := c.note("Session"); err != nil {
		return people.Account{}, err
	}
	return c.Directory.Session(ctx, token)
}

func (c *counting) Room(ctx context.Context, room, who string) (people.Room, error) {
	if err := c.note("Room"); err != nil {
		return people.Room{}, err
	}
	return c.Directory.Room(ctx, room, who)
}

func (c *counting) Rooms(ctx context.Context, who string) ([]people.Room, error) {
	if err := c.note("Rooms"); err != nil {
		return nil, err
	}
	return c.Directory.Rooms(ctx, who)
}

func (c *counting) AddMember(ctx context.Context, room, by, folded string) (people.Membership, error) {
	if err := c.note("AddMember"); err != nil {
		return people.Membership{}, err
	}
	return c.Directory.AddMember(ctx, room, by, folded)
}

func (c *counting) RemoveMember(ctx context.Context, room, by, folded string) (people.Membership, error) {
	if err := c.note("RemoveMember"); err != nil {
		return people.Membership{}, err
	}
	return c.Directory.RemoveMember(ctx, room, by, folded)
}

func (c *counting) ChangeRoom(ctx context.Context, room, by, name, creator string) (people.Room, error) {
	if err := c.note("ChangeRoom"); err != nil {
		return people.Room{}, err
	}
	return c.Directory.ChangeRoom(ctx, room, by, name, creator)
}

func (c *counting) DeleteRoom(ctx context.Context, room, by string) error {
	if err := c.note("DeleteRoom"); err != nil {
		return err
	}
	return c.Directory.DeleteRoom(ctx, room, by)
}

func (c *counting) Changes(ctx context.Context, after string, wait time.Duration) ([]people.Change, string, error) {
	if c.away.Load() {
		return nil, "", errAway
	}
	return c.Directory.Changes(ctx, after, wait)
}

const secret = "correct horse"

func (h *house) person(name string) (people.Account, string) {
	h.Helper()
	a, token, err := h.Register(h.Context(), name+"@example.org", name, secret)
	if err != nil {
		h.Fatal(err)
	}
	return a, token
}

// code checks the code of an error; "" is none.
func (h *house) code(what string, err error, want chat.Code) {
	h.Helper()
	var got chat.Code
	if err != nil {
		got = chat.AsError(err).Code
	}
	if got != want {
		h.Errorf("%s: %v; want code %q", what, err, want)
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	a, token := h.person("ann")
	if len(a.ID) != 16 || strings.Trim(a.ID, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("account %q", a.ID)
	}
	if got, err := h.Session(t.Context(), token); err != nil || got.ID != a.ID {
		t.Errorf("first token: %v, %v", got.ID, err)
	}
	for _, c := range []struct {
		email, name, password string
		want                  chat.Code
	}{
		{"ANN@Example.ORG", "Other", secret, chat.CodeConflict},
		{"no address", "n", secret, chat.CodeBadMessage},
		{"b@example.org", " ", secret, chat.CodeBadMessage},
		{"b@example.org", "b", "123456789", chat.CodeBadMessage},
		{"b@example.org", "b", strings.Repeat("é", 257), chat.CodeBadMessage},
		{"b@example.org", "b", "zero\x00zero zero", chat.CodeBadMessage},
		{"b@example.org", "b", "          ", ""}, // any, not trimmed
		{"c@example.org", "c", strings.Repeat("é", 256), ""},
	} {
		_, _, err := h.Register(t.Context(), c.email, c.name, c.password)
		h.code(fmt.Sprintf("%q %q", c.email, c.password), err, c.want)
	}
	_, _, err := h.SignIn(t.Context(), "b@example.org", "         ")
	h.code("one blank less", err, chat.CodeUnauthorised)
	closed := newHouse(t, people.Options{RegistrationClosed: true})
	_, _, err = closed.Register(t.Context(), "a@example.org", "a", secret)
	closed.code("closed", err, chat.CodeUnauthorised)
	if !errors.Is(err, people.ErrForbidden) {
		t.Errorf("closed: %v; signing in would not help", err)
	}
	if _, err := closed.AddAccount(t.Context(), "a@example.org", "a", secret); err != nil {
		t.Errorf("the operator: %v", err)
	}
}

// The same words, calls and hashes, whether or not there is an account.
func TestSignInTellsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	h.person("ann")
	type answer struct {
		err    string
		calls  string
		hashes int64
	}
	try := func(email, password string) (a answer) {
		before := h.hasher.Hashes()
		a.calls = h.dir.during(func() {
			_, _, err := h.SignIn(t.Context(), email, password)
			a.err = fmt.Sprint(err)
		})
		a.hashes = h.hasher.Hashes() - before
		return a
	}
	known, unknown := try("ann@example.org", "a wrong password"), try("nobody@example.org", "a wrong password")
	if known != unknown || known.hashes != 1 || known.calls == "" {
		t.Errorf("known %+v, unknown %+v", known, unknown)
	}
	if short := try("ann@example.org", "x"); short != known {
		t.Errorf("short password %+v", short)
	}
}

func TestPasswordsAreComparedAfterNFC(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	if _, _, err := h.Register(t.Context(), "a@example.org", "a", "caf\u00e9 caf\u00e9 "); err != nil {
		t.Fatal(err)
	}
	_, _, err := h.SignIn(t.Context(), "a@example.org", "cafe\u0301 cafe\u0301 ")
	h.code("decomposed", err, "")
}

func TestLock(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	a, token := h.person("ann")
	for _, email := range []string{"Ann@example.org", "nobody@example.org"} {
		for i := range people.MaxWrong {
			_, _, err := h.SignIn(t.Context(), email, "a wrong password")
			h.code(fmt.Sprint(email, " ", i), err, chat.CodeUnauthorised)
		}
		hashes := h.hasher.Hashes()
		_, _, err := h.SignIn(t.Context(), email, secret)
		h.code(email+" locked", err, chat.CodeRateLimited)
		if after := chat.AsError(err).RetryAfter; after <= 0 || after > people.LockTime {
			t.Errorf("retry after %v", after)
		}
		if h.hasher.Hashes() != hashes {
			t.Error("a locked address costs a hash")
		}
	}
	if _, err := h.Session(t.Context(), token); err != nil {
		t.Errorf("its tokens go on: %v", err)
	}
	_, err := h.ChangeAccount(t.Context(), a, token, nil, nil, secret)
	h.code("current password while locked", err, chat.CodeRateLimited)
	h.skew.Add(int64(people.LockTime))
	_, _, err = h.SignIn(t.Context(), "ann@example.org", secret)
	h.code("after the lock", err, "")
	h.skew.Add(int64(people.WrongMemory))
	for range people.MaxWrong {
		_, err := h.ChangeAccount(t.Context(), a, token, nil, nil, "a wrong password")
		h.code("current", err, chat.CodeUnauthorised)
		if !errors.Is(err, people.ErrForbidden) {
			t.Errorf("current: %v", err)
		}
	}
	_, _, err = h.SignIn(t.Context(), "ann@example.org", secret)
	h.code("wrong current passwords count", err, chat.CodeRateLimited)
}

func TestChangeAccount(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	a, first := h.person("ann")
	_, other, err := h.SignIn(t.Context(), a.Email, secret)
	h.code("sign in", err, "")
	name, password := " New\tName ", "another password"
	if _, err := h.ChangeAccount(t.Context(), a, first, &name, nil, secret); err == nil {
		t.Error("a tab in a name")
	}
	name = " New  Name "
	a, err = h.ChangeAccount(t.Context(), a, first, &name, &password, secret)
	if err != nil || a.Name != "New  Name" {
		t.Errorf("%+v, %v", a, err)
	}
	_, err = h.Session(t.Context(), first)
	h.code("the token that asked", err, "")
	_, err = h.Session(t.Context(), other)
	h.code("every other", err, chat.CodeUnauthorised)
	_, _, err = h.SignIn(t.Context(), a.Email, secret)
	h.code("the old password", err, chat.CodeUnauthorised)
	h.code("delete with the old password", h.DeleteAccount(t.Context(), a, secret), chat.CodeUnauthorised)
	h.code("delete", h.DeleteAccount(t.Context(), a, password), "")
	_, err = h.Session(t.Context(), first)
	h.code("its token", err, chat.CodeUnauthorised)
	again, _ := h.person("ann")
	if again.ID == a.ID {
		t.Error("an account's id was given twice")
	}
}

// A hash made at less than today's cost is made anew at the next sign-in.
func TestRehash(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	a, _ := h.person("ann")
	dearer := people.NewHasher(people.Cost{Memory: 128, Passes: 2, Lanes: 1}, 1<<20)
	s := people.NewService(h.dir, h.view, dearer, people.Options{})
	for _, want := range []int64{2, 3} {
		if _, _, err := s.SignIn(t.Context(), a.Email, secret); err != nil || dearer.Hashes() != want {
			t.Errorf("%d hashes, %v; want %d", dearer.Hashes(), err, want)
		}
	}
	if got, _ := h.dir.AccountAt(t.Context(), a.Folded); !strings.Contains(got.Password, "m=128,t=2,p=1") {
		t.Errorf("hash %q", got.Password)
	}
}

// As many hash as memory allows, some wait, the rest is refused.
func TestHasherIsBounded(t *testing.T) {
	t.Parallel()
	hasher := people.NewHasher(cheap, 0) // one at a time
	leave, err := hasher.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, 200)
	for range 200 {
		go func() {
			leave, err := hasher.Enter(ctx)
			if err == nil {
				leave()
			}
			answers <- err
		}()
	}
	refused := 0
	for refused < 200-48 { // 48 wait for the one slot
		if err := <-answers; chat.AsError(err).Code != chat.CodeRateLimited {
			t.Fatalf("refused with %v", err)
		}
		refused++
	}
	cancel()
	for range 200 - refused {
		if err := <-answers; err == nil || chat.AsError(err).Code != chat.CodeUnavailable {
			t.Errorf("given up: %v", err)
		}
	}
	leave()
	if leave, err = hasher.Enter(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	leave()
}

func TestRooms(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	ann, _ := h.person("ann")
	bob, _ := h.person("bob")
	r, repeated, err := h.CreateRoom(t.Context(), ann, "k", " den ", []string{"BOB@example.org", "bob@example.org"})
	if err != nil || repeated || !chat.IsRoom(r.ID) || len(r.ID) != 17 || r.Name != "den" || r.Count != 2 || r.Creator != ann.ID {
		t.Fatalf("%+v, %v, %v", r, repeated, err)
	}
	again, repeated, err := h.CreateRoom(t.Context(), ann, "k", "den", nil)
	if err != nil || !repeated || again.ID != r.ID {
		t.Errorf("again: %+v, %v, %v", again, repeated, err)
	}
	_, _, err = h.CreateRoom(t.Context(), ann, "k2", "den", []string{"X@example.org", "bob@example.org"})
	if e := chat.AsError(err); !slices.Equal(e.Unknown, []string{"X@example.org"}) {
		t.Errorf("unknown: %v", err)
	}
	h.code("unknown", err, chat.CodeBadMessage)
	h.code("no address", h.AddMember(t.Context(), ann, r.ID, "no address"), chat.CodeBadMessage)
	h.code("a member adds", h.AddMember(t.Context(), bob, r.ID, "ann@example.org"), chat.CodeUnauthorised)
	for range 2 {
		h.code("remove", h.RemoveMember(t.Context(), ann, r.ID, "Bob@example.org"), "")
	}
	if want := []string{fmt.Sprint(r.ID, " ", bob.ID, " 3"), fmt.Sprint(r.ID, " ", bob.ID, " 3")}; !slices.Equal(h.gone, want) {
		t.Errorf("the log was told %q, want %q", h.gone, want)
	}
	creator := bob.ID
	_, err = h.ChangeRoom(t.Context(), ann, r.ID, nil, &creator)
	h.code("hand over to a stranger", err, chat.CodeBadMessage)
	bad := "not an account"
	_, err = h.ChangeRoom(t.Context(), ann, r.ID, nil, &bad)
	h.code("hand over to nobody", err, chat.CodeBadMessage)
	h.code("delete", h.DeleteRoom(t.Context(), ann, r.ID), "")
	_, _, err = h.CreateRoom(t.Context(), ann, "k", "den", nil)
	h.code("the key of a deleted room", err, chat.CodeNotFound)
}

// To a stranger a room is not there by the same steps as one that never was.
func TestStrangersCostTheSame(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{})
	ann, _ := h.person("ann")
	eve, _ := h.person("eve")
	r, _, err := h.CreateRoom(t.Context(), ann, "k", "den", nil)
	if err != nil {
		t.Fatal(err)
	}
	never := "~" + strings.Repeat("a", 16)
	name, blank, nobody := "x", " ", "nobody"
	for what, call := range map[string]func(room string) error{
		"room":          func(room string) error { _, err := h.Room(t.Context(), eve, room); return err },
		"add":           func(room string) error { return h.AddMember(t.Context(), eve, room, ann.Email) },
		"add nobody":    func(room string) error { return h.AddMember(t.Context(), eve, room, "x") },
		"remove":        func(room string) error { return h.RemoveMember(t.Context(), eve, room, ann.Email) },
		"leave":         func(room string) error { return h.RemoveMember(t.Context(), eve, room, eve.Email) },
		"rename":        func(room string) error { _, err := h.ChangeRoom(t.Context(), eve, room, &name, nil); return err },
		"rename badly":  func(room string) error { _, err := h.ChangeRoom(t.Context(), eve, room, &blank, nil); return err },
		"hand to whom?": func(room string) error { _, err := h.ChangeRoom(t.Context(), eve, room, nil, &nobody); return err },
		"delete":        func(room string) error { return h.DeleteRoom(t.Context(), eve, room) },
	} {
		var one, other error
		there := h.dir.during(func() { one = call(r.ID) })
		not := h.dir.during(func() { other = call(never) })
		if there != not || there == "" || fmt.Sprint(one) != fmt.Sprint(other) {
			t.Errorf("%s: %q gives %v; a room that never was: %q, %v", what, there, one, not, other)
		}
		h.code(what, one, chat.CodeNotFound)
	}
}

func TestSavedFilters(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{CheckFilter: func(f string) error {
		if f == "(" {
			return &chat.Error{Code: chat.CodeBadMessage, Message: "unclosed"}
		}
		return nil
	}})
	ann, _ := h.person("ann")
	_, err := h.SaveFilter(t.Context(), ann, people.SavedFilter{Name: " a ", Filter: "x"})
	h.code("save", err, "")
	_, err = h.SaveFilter(t.Context(), ann, people.SavedFilter{Name: "b", Filter: "("})
	h.code("can't be read", err, chat.CodeBadMessage)
	_, err = h.SaveFilter(t.Context(), ann, people.SavedFilter{Name: "\n", Filter: "x"})
	h.code("no name", err, chat.CodeBadMessage)
	if list, err := h.Filters(t.Context(), ann); err != nil || len(list) != 1 || list[0] != (people.SavedFilter{Name: "a", Filter: "x"}) {
		t.Errorf("%v, %v", list, err)
	}
	h.code("delete", h.DeleteFilter(t.Context(), ann, "a"), "")
	h.code("delete again", h.DeleteFilter(t.Context(), ann, "a"), chat.CodeNotFound)
}

func TestOperator(t *testing.T) {
	t.Parallel()
	h := newHouse(t, people.Options{RegistrationClosed: true})
	for i := range 3 {
		if _, err := h.AddAccount(t.Context(), fmt.Sprint("a", i, "@example.org"), "a", secret); err != nil {
			t.Fatal(err)
		}
	}
	_, token, err := h.SignIn(t.Context(), "a1@example.org", secret)
	h.code("sign in", err, "")
	h.code("set password", h.SetPassword(t.Context(), "A1@example.org", "another password"), "")
	_, err = h.Session(t.Context(), token)
	h.code("its token", err, chat.CodeUnauthorised)
	_, _, err = h.SignIn(t.Context(), "a1@example.org", "another password")
	h.code("the new password", err, "")
	h.code("remove", h.RemoveAccount(t.Context(), "a2@example.org"), "")
	h.code("remove again", h.RemoveAccount(t.Context(), "a2@example.org"), chat.CodeNotFound)
	n := 0
	h.code("list", h.Accounts(t.Context(), func(people.Account) error { n++; return nil }), "")
	if n != 2 {
		t.Errorf("%d accounts are listed", n)
	}
}
