package people

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chatapp/chat/internal/chat"
)

const (
	// Patience is for how long what was heard of the directory is believed. A
	// change that was answered holds everywhere within this time, so a process
	// that has not reached the directory for so long gives nothing of rooms.
	Patience = 2 * time.Second
	// pollTime is how long one wait for changes lasts; some fit in Patience.
	pollTime = 500 * time.Millisecond
	// retryTime is the pause after a failure.
	retryTime = 200 * time.Millisecond
	// laterTime is the pause between two looks at a room whose count or name
	// has changed: nobody's rights depend on them.
	laterTime = time.Second
	// useTime is how often the directory is told that the tokens of open
	// connections are in use; it counts in whole hours.
	useTime = 20 * time.Minute
	// reloads is how many accounts are read at the same time.
	reloads = 8
	// maxHolders bounds the addresses remembered, with or without an account;
	// about 100 B each.
	maxHolders = 1 << 16
)

// View is what this process knows of the directory for its open connections:
// who is signed in on them, and what rooms they are members of. It follows the
// directory's changes, so asking it costs nothing. It is safe for use by many
// goroutines. Start starts its two, Close ends and joins them.
type View struct {
	dir    Directory
	logger *slog.Logger

	running sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
	heard   atomic.Int64  // when the directory was last reached; nanoseconds
	wake    chan struct{} // capacity 1: there is something to reload at once

	mu      sync.Mutex
	people  map[string]*person // with an open connection here, by account
	pending map[*Seat]struct{} // of which the account is not known yet
	urgent  map[*person]struct{}
	later   map[*person]struct{}

	holding sync.Mutex
	holders map[string]string // folded address → account, "" for none
	turn    uint64            // counts changes of holders that were heard
}

// person is an account with at least one open connection here.
type person struct {
	v  *View
	id string

	loading sync.Mutex // held by each load, so that they are in order
	loaded  bool       // under loading
	verify  atomic.Bool
	unsure  atomic.Bool
	rooms   atomic.Pointer[map[string]Room]

	// Under View.mu:
	account Account
	seats   map[*Seat]struct{}
	left    map[string]uint64 // the version with which it left a room
}

// Watcher is told of what happens to an account with an open connection. Its
// methods are called with locks held: they must neither block nor call back.
type Watcher interface {
	// SignedOut: the token is over, and with it the connection.
	SignedOut()
	// RoomsChanged: Seat.List gives something else than before.
	RoomsChanged()
	// Unsure: for a while the rights could not be checked, and something of a
	// room was held back. The connection is no longer without gaps.
	Unsure()
}

// Seat is one open connection of somebody who is signed in.
type Seat struct {
	v       *View
	token   Digest
	watcher Watcher

	// Under View.mu:
	person *person
	heard  []string // accounts of which something was heard while pending
	closed bool
}

// NewView gives a view that has not been started.
func NewView(dir Directory, logger *slog.Logger) *View {
	v := &View{
		dir: dir, logger: logger.With("component", "people"), wake: make(chan struct{}, 1),
		people: map[string]*person{}, pending: map[*Seat]struct{}{},
		urgent: map[*person]struct{}{}, later: map[*person]struct{}{},
		holders: map[string]string{},
	}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	return v
}

// Start starts following the directory, once.
func (v *View) Start() {
	v.running.Go(v.follow)
	v.running.Go(v.reload)
}

// Close ends the view's goroutines and waits for them.
func (v *View) Close() {
	v.cancel()
	v.running.Wait()
}

// Stale reports that the directory could not be reached for Patience.
func (v *View) Stale() bool {
	return time.Now().UnixNano()-v.heard.Load() > int64(Patience)
}

// follow hears of changes until the view is closed.
func (v *View) follow() {
	after, away := "", false
	for v.ctx.Err() == nil {
		list, next, err := v.dir.Changes(v.ctx, after, pollTime)
		if err != nil {
			if errors.Is(err, ErrLost) {
				after = ""
				continue
			}
			if !away && v.ctx.Err() == nil {
				v.logger.Warn("the directory of people can't be reached; nothing of rooms is given", "error", err)
			}
			away = true
			v.pause(retryTime)
			continue
		}
		for _, c := range list {
			v.Heard(c)
		}
		if after == "" {
			v.forget()
		}
		after, away = next, false
		v.heard.Store(time.Now().UnixNano())
		v.sure()
	}
}

func (v *View) pause(d time.Duration) {
	select {
	case <-v.ctx.Done():
	case <-time.After(d):
	}
}

// forget drops what may be out of date after changes were lost.
func (v *View) forget() {
	v.holding.Lock()
	v.turn++
	clear(v.holders)
	v.holding.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range v.pending {
		s.heard = append(s.heard, "*")
	}
	for _, p := range v.people {
		p.verify.Store(true)
		p.mark(v.urgent)
	}
}

// sure tells the connections from which something was held back.
func (v *View) sure() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.people {
		if p.unsure.Swap(false) {
			for s := range p.seats {
				s.watcher.Unsure()
			}
		}
	}
}

// mark says that a person is to be loaded anew; View.mu is held.
func (p *person) mark(set map[*person]struct{}) {
	set[p] = struct{}{}
	if _, now := p.v.urgent[p]; now {
		select {
		case p.v.wake <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// Heard takes in a change, whether the directory told it, this process made it,
// or the log says when somebody left a room. Hearing it again does no harm.
func (v *View) Heard(c Change) {
	if c.Kind == Registered || c.Kind == Deleted {
		v.holding.Lock()
		v.turn++
		delete(v.holders, c.Address)
		v.holding.Unlock()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range v.pending {
		s.heard = append(s.heard, c.Account)
		if c.Kind == SignedOut && c.Token == s.token {
			s.closed = true
		}
	}
	p := v.people[c.Account]
	switch c.Kind {
	case Renamed, Joined:
		if p != nil {
			p.mark(v.urgent)
		}
	case SignedOut:
		v.end(p, func(token Digest) bool { return token == c.Token })
	case NewPassword:
		v.end(p, func(token Digest) bool { return token != c.Token })
	case Deleted:
		v.end(p, func(Digest) bool { return true })
	case Left:
		if p != nil {
			p.leave(c.Room, c.Version)
		}
	case RoomDeleted:
		for _, p := range v.people {
			if _, in := (*p.rooms.Load())[c.Room]; in {
				p.leave(c.Room, ^uint64(0)) // a room's id never comes again
			}
		}
		return
	}
	if c.Room != "" {
		for _, p := range v.people {
			if r, in := (*p.rooms.Load())[c.Room]; in && (r.Version < c.Version || c.Version == 0) {
				p.mark(v.later)
			}
		}
	}
}

// end closes the seats of those tokens; View.mu is held.
func (v *View) end(p *person, over func(Digest) bool) {
	if p == nil {
		return
	}
	for s := range p.seats {
		if over(s.token) {
			s.drop()
			s.watcher.SignedOut()
		}
	}
}

// leave takes a room away; View.mu is held.
func (p *person) leave(room string, version uint64) {
	p.left[room] = max(p.left[room], version)
	rooms := *p.rooms.Load()
	if r, in := rooms[room]; in && r.Joined < version {
		less := make(map[string]Room, len(rooms))
		for id, r := range rooms {
			if id != room {
				less[id] = r
			}
		}
		p.rooms.Store(&less)
		for s := range p.seats {
			s.watcher.RoomsChanged()
		}
	}
}

// load reads a person's rooms and account. Loads of one person are in order;
// each sees what was answered before it began.
func (p *person) load(ctx context.Context) error {
	p.loading.Lock()
	defer p.loading.Unlock()
	rooms, err := p.v.dir.Rooms(ctx, p.id)
	if err != nil {
		return err
	}
	a, err := p.v.dir.Account(ctx, p.id)
	if errors.Is(err, ErrNone) {
		p.v.Heard(Change{Kind: Deleted, Account: p.id})
		return nil
	}
	if err != nil {
		return err
	}
	if p.verify.Load() {
		if err := p.verifyTokens(ctx); err != nil {
			return err
		}
	}
	p.loaded = true
	p.v.mu.Lock()
	defer p.v.mu.Unlock()
	p.account = a
	was, now := *p.rooms.Load(), make(map[string]Room, len(rooms))
	changed := false
	for _, r := range rooms {
		if r.Joined <= p.left[r.ID] {
			continue // read before it left
		}
		now[r.ID] = r
		old, in := was[r.ID]
		// A version counts joins and leaves of this person, too: r.Joined does
		// not show in the list.
		changed = changed || !in || old.Name != r.Name || old.Creator != r.Creator || old.Count != r.Count
	}
	if changed = changed || len(now) != len(was); changed || len(now) > 0 {
		p.rooms.Store(&now)
	}
	if changed {
		for s := range p.seats {
			s.watcher.RoomsChanged()
		}
	}
	return nil
}

// verifyTokens ends the seats whose token has ended unheard.
func (p *person) verifyTokens(ctx context.Context) error {
	p.v.mu.Lock()
	var tokens []Digest
	for s := range p.seats {
		tokens = append(tokens, s.token)
	}
	p.v.mu.Unlock()
	for _, token := range tokens {
		switch _, err := p.v.dir.Session(ctx, token); {
		case errors.Is(err, ErrNone):
			p.v.Heard(Change{Kind: SignedOut, Account: p.id, Token: token})
		case err != nil:
			return err
		}
	}
	p.verify.Store(false)
	return nil
}

// reload loads those of whom something was heard, until the view is closed.
func (v *View) reload() {
	tick, use := time.NewTicker(laterTime), time.NewTicker(useTime)
	defer tick.Stop()
	defer use.Stop()
	for {
		var due []*person
		select {
		case <-v.ctx.Done():
			return
		case <-v.wake:
			v.mu.Lock()
			due = take(v.urgent)
			v.mu.Unlock()
		case <-use.C:
			v.mu.Lock()
			for _, p := range v.people {
				p.verify.Store(true) // which is use
				v.later[p] = struct{}{}
			}
			v.mu.Unlock()
		case <-tick.C:
			v.mu.Lock()
			due = append(take(v.urgent), take(v.later)...)
			v.mu.Unlock()
		}
		v.loadAll(v.ctx, due)
	}
}

func take(set map[*person]struct{}) []*person {
	var list []*person
	for p := range set {
		list = append(list, p)
		delete(set, p)
	}
	return list
}

// loadAll loads some people at a time. Who can't be loaded is tried again.
func (v *View) loadAll(ctx context.Context, due []*person) {
	for some := range slices.Chunk(due, reloads) {
		var wg sync.WaitGroup
		for _, p := range some {
			wg.Go(func() {
				if err := p.load(ctx); err == nil || ctx.Err() != nil {
					return // the follower says so when the directory is away
				}
				v.mu.Lock()
				v.urgent[p] = struct{}{} // at the next tick
				v.mu.Unlock()
			})
		}
		wg.Wait()
	}
}

// Refresh loads those of the accounts that have an open connection here, so
// that a change holds here when it is answered. What fails is tried again.
func (v *View) Refresh(ctx context.Context, accounts ...string) {
	var due []*person
	v.mu.Lock()
	for _, id := range accounts {
		if p := v.people[id]; p != nil {
			due = append(due, p)
		}
	}
	v.mu.Unlock()
	v.loadAll(ctx, due)
}

// Open seats a connection of whoever holds a token. CodeUnauthorised: nobody
// does (any more). The watcher may be told of things before Open returns.
func (v *View) Open(ctx context.Context, token string, w Watcher) (*Seat, error) {
	s := &Seat{v: v, token: digestOf(token), watcher: w}
	v.mu.Lock()
	v.pending[s] = struct{}{}
	v.mu.Unlock()
	p, err := s.find(ctx)
	if err == nil {
		p.loading.Lock()
		loaded := p.loaded
		p.loading.Unlock()
		if !loaded || v.Stale() {
			err = failed(p.load(ctx))
		}
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// find learns whose the token is. What is heard of that account meanwhile
// makes it look again: the seat must not outlive its token.
func (s *Seat) find(ctx context.Context) (*person, error) {
	v := s.v
	for {
		a, err := v.dir.Session(ctx, s.token)
		if errors.Is(err, ErrNone) {
			return nil, errToken()
		}
		if err != nil {
			return nil, failed(err)
		}
		v.mu.Lock()
		if s.closed {
			v.mu.Unlock()
			return nil, errToken()
		}
		if slices.Contains(s.heard, a.ID) || slices.Contains(s.heard, "*") {
			s.heard = nil
			v.mu.Unlock()
			continue
		}
		delete(v.pending, s)
		p := v.people[a.ID]
		if p == nil {
			p = &person{v: v, id: a.ID, account: a, seats: map[*Seat]struct{}{}, left: map[string]uint64{}}
			p.rooms.Store(&map[string]Room{})
			v.people[a.ID] = p
		}
		s.person = p
		p.seats[s] = struct{}{}
		v.mu.Unlock()
		return p, nil
	}
}

// Close frees the seat: nothing is told any more. It may be called again.
func (s *Seat) Close() {
	s.v.mu.Lock()
	defer s.v.mu.Unlock()
	s.drop()
}

// drop is Close; View.mu is held.
func (s *Seat) drop() {
	s.closed = true
	delete(s.v.pending, s)
	p := s.person
	if p == nil {
		return
	}
	delete(p.seats, s)
	if len(p.seats) == 0 && s.v.people[p.id] == p {
		delete(s.v.people, p.id)
		delete(s.v.urgent, p)
		delete(s.v.later, p)
	}
}

// Principal is who sits here, as far as is known now.
func (s *Seat) Principal() chat.Principal {
	s.v.mu.Lock()
	a := s.person.account
	s.v.mu.Unlock()
	return chat.Principal{Account: a.ID, Email: a.Email, Name: a.Name, Rooms: s.person}
}

// Rooms lists the rooms of whoever sits here, the oldest first.
func (s *Seat) Rooms() []Room {
	var list []Room
	if s.v.Stale() {
		return nil
	}
	for _, r := range *s.person.rooms.Load() {
		list = append(list, r)
	}
	sortRooms(list)
	return list
}

// Has implements chat.Rooms. While the directory can't be reached, there is
// nothing.
func (p *person) Has(room string) bool {
	_, in := (*p.rooms.Load())[room]
	if in && p.v.Stale() {
		p.unsure.Store(true)
		return false
	}
	return in
}

// List implements chat.Rooms. Each has still to be asked for with Has.
func (p *person) List() []string {
	var list []string
	for id := range *p.rooms.Load() {
		list = append(list, id)
	}
	return list
}

// Name implements chat.Rooms.
func (p *person) Name(room string) string {
	r, _ := p.find(room)
	return r.Name
}

// Check implements chat.Rooms.
func (p *person) Check(ctx context.Context) error { return failed(p.load(ctx)) }

// Principal gives who makes a single call with a token, and its account. Its
// rooms are those of now; Check reads them again.
func (v *View) Principal(ctx context.Context, token string) (chat.Principal, Account, error) {
	a, err := v.dir.Session(ctx, digestOf(token))
	if errors.Is(err, ErrNone) {
		return chat.Guest, a, errToken()
	}
	if err != nil {
		return chat.Guest, a, failed(err)
	}
	rooms := &caller{dir: v.dir, id: a.ID}
	if err := rooms.Check(ctx); err != nil {
		return chat.Guest, a, err
	}
	return chat.Principal{Account: a.ID, Email: a.Email, Name: a.Name, Rooms: rooms}, a, nil
}

// caller is the rooms of whoever makes a single call.
type caller struct {
	dir Directory
	id  string

	mu    sync.Mutex
	rooms []Room
}

func (c *caller) Has(room string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.rooms, func(r Room) bool { return r.ID == room })
}

func (c *caller) List() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, r := range c.rooms {
		list = append(list, r.ID)
	}
	return list
}

func (c *caller) Name(room string) string {
	r, _ := c.find(room)
	return r.Name
}

func (c *caller) Check(ctx context.Context) error {
	rooms, err := c.dir.Rooms(ctx, c.id)
	if err != nil {
		return failed(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rooms = rooms
	return nil
}

// Owner reports whether a principal of this package is the creator of a room.
func Owner(who chat.Principal, room string) bool {
	o, ok := who.Rooms.(interface{ find(string) (Room, bool) })
	if !ok {
		return false
	}
	r, in := o.find(room)
	return in && r.Creator == who.Account
}

func (p *person) find(room string) (Room, bool) {
	r, in := (*p.rooms.Load())[room]
	return r, in && !p.v.Stale()
}

func (c *caller) find(room string) (Room, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rooms {
		if r.ID == room {
			return r, true
		}
	}
	return Room{}, false
}

// Holder gives the account that holds an address, "" for none. It remembers
// both, so that a guest's posts ask the directory once.
func (v *View) Holder(ctx context.Context, address string) (string, error) {
	folded := chat.FoldAddress(address)
	v.holding.Lock()
	id, known := v.holders[folded]
	turn := v.turn
	v.holding.Unlock()
	if known && !v.Stale() {
		return id, nil
	}
	a, err := v.dir.AccountAt(ctx, folded)
	if err != nil && !errors.Is(err, ErrNone) {
		return "", failed(err)
	}
	v.holding.Lock()
	defer v.holding.Unlock()
	if turn == v.turn && !v.Stale() {
		if len(v.holders) >= maxHolders {
			for old := range v.holders { // whichever comes first
				delete(v.holders, old)
				break
			}
		}
		v.holders[folded] = a.ID
	}
	return a.ID, nil
}

// Online lists the accounts with an open connection here, in no order.
func (v *View) Online() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]string, 0, len(v.people))
	for id := range v.people {
		list = append(list, id)
	}
	return list
}
