package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/people"
	"chatapp/chat/internal/trouble"
)

// Directory is a people.Directory on the same Redis as the log. All of its
// keys are in one slot, so that each operation is one script. What changes
// something waits for the replicas as an append does, and is tried again, as
// the same call, while an outage is young.
type Directory struct {
	s    *Store
	keys peopleKeys
	// reads and writes may each fail for themselves.
	reads, writes outage
	// replicas of the node that holds the directory.
	replicas replicaSet
	skew     func() time.Duration // added to Redis' clock; tests turn it
}

var _ people.Directory = (*Directory)(nil)

// Directory gives the directory beside this log. It lives as long as the store.
func (s *Store) Directory() *Directory {
	d := &Directory{s: s, keys: newPeopleKeys(s.opt.KeyPrefix), skew: func() time.Duration { return 0 }}
	d.reads = outage{place: "accounts", access: trouble.Reads}
	d.writes = outage{place: "accounts", access: trouble.Writes}
	s.probes.add(&d.writes, &d.replicas, d.keys.call("probe"), "passing")
	return d
}

//go:embed lua/people
var peopleLua embed.FS

// peopleScript is common.lua and one operation.
func peopleScript(name string) *redis.Script {
	common, err1 := peopleLua.ReadFile("lua/people/common.lua")
	body, err2 := peopleLua.ReadFile("lua/people/" + name + ".lua")
	if err := errors.Join(err1, err2); err != nil {
		panic(err) // the name is mistyped: every test finds it
	}
	return redis.NewScript(string(common) + string(body))
}

// One script, one operation. They never change while the process runs.
var (
	registerScript     = peopleScript("register")
	accountScript      = peopleScript("account")
	changeScript       = peopleScript("change")
	deleteScript       = peopleScript("delete")
	signInScript       = peopleScript("signin")
	signOutScript      = peopleScript("signout")
	sessionScript      = peopleScript("session")
	wrongScript        = peopleScript("wrong")
	lockedScript       = peopleScript("locked")
	createRoomScript   = peopleScript("createroom")
	roomScript         = peopleScript("room")
	roomsScript        = peopleScript("rooms")
	addMemberScript    = peopleScript("addmember")
	removeMemberScript = peopleScript("removemember")
	changeRoomScript   = peopleScript("changeroom")
	deleteRoomScript   = peopleScript("deleteroom")
	saveFilterScript   = peopleScript("savefilter")
	deleteFilterScript = peopleScript("deletefilter")
)

// run runs a script and gives what follows its 'ok'; any other first word is
// an error. change: the script changes something.
func (d *Directory) run(ctx context.Context, change bool, script *redis.Script, args ...any) ([]string, error) {
	ctx, cancel := d.s.within(ctx)
	defer cancel()
	keys := []string{d.keys.call(rand.Text())}
	args = append([]any{d.keys.prefix, d.skew().Milliseconds()}, args...)
	var reply []string
	away := &d.reads
	if change {
		away = &d.writes
	}
	err := d.s.try(ctx, d.s.cmd, away, d.keys.prefix, func(ctx context.Context, c *redis.Client) (err error) {
		if change {
			reply, err = d.s.runDurable(ctx, c, &d.replicas, script, keys, args).StringSlice()
		} else {
			reply, err = script.Run(ctx, c, keys, args...).StringSlice()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	if len(reply) == 0 {
		return nil, d.malformed()
	}
	switch reply[0] {
	case "ok":
		return reply[1:], nil
	case "none":
		return nil, people.ErrNone
	case "taken":
		return nil, people.ErrTaken
	case "stale":
		return nil, people.ErrStale
	case "forbidden":
		return nil, people.ErrForbidden
	case "notmember":
		return nil, people.ErrNotMember
	case "many":
		return nil, people.ErrTooMany
	case "unknown":
		return nil, &people.UnknownAddresses{Addresses: reply[1:]}
	}
	return nil, d.malformed()
}

func (d *Directory) malformed() error {
	return errAnswer("answer of the directory's scripts")
}

// Register implements people.Directory.
func (d *Directory) Register(ctx context.Context, a people.Account, token people.Digest) error {
	_, err := d.run(ctx, true, registerScript, a.ID, a.Email, a.Folded, a.Name, a.Password, tokenText(token))
	return err
}

// Account implements people.Directory.
func (d *Directory) Account(ctx context.Context, id string) (people.Account, error) {
	if id == "" {
		return people.Account{}, people.ErrNone
	}
	return d.account(d.run(ctx, false, accountScript, id, ""))
}

// AccountAt implements people.Directory.
func (d *Directory) AccountAt(ctx context.Context, folded string) (people.Account, error) {
	return d.account(d.run(ctx, false, accountScript, "", folded))
}

// Accounts implements people.Directory. A page is one HSCAN of the addresses.
func (d *Directory) Accounts(ctx context.Context, after string, most int) ([]people.Account, string, error) {
	ctx, cancel := d.s.within(ctx)
	defer cancel()
	cursor, _ := strconv.ParseUint(after, 10, 64) // "": from the start
	var pairs []string
	err := d.s.try(ctx, d.s.cmd, &d.reads, d.keys.prefix, func(ctx context.Context, c *redis.Client) error {
		var err error
		pairs, cursor, err = c.HScan(ctx, d.keys.addresses, cursor, "", int64(max(1, most))).Result()
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("directory: %w", err)
	}
	var list []people.Account
	for i := 1; i < len(pairs); i += 2 {
		a, err := d.Account(ctx, pairs[i])
		if errors.Is(err, people.ErrNone) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, "", err
		}
		list = append(list, a)
	}
	if cursor == 0 {
		return list, "", nil
	}
	return list, strconv.FormatUint(cursor, 10), nil
}

// Change implements people.Directory.
func (d *Directory) Change(ctx context.Context, id, was string, c people.AccountChange) (people.Account, error) {
	return d.account(d.run(ctx, true, changeScript, id, was, orEmpty(c.Name), orEmpty(c.Password), tokenText(c.Keep)))
}

// Delete implements people.Directory.
func (d *Directory) Delete(ctx context.Context, id, was string) error {
	_, err := d.run(ctx, true, deleteScript, id, was)
	return err
}

// SignIn implements people.Directory.
func (d *Directory) SignIn(ctx context.Context, id, was string, token people.Digest, rehash string) error {
	_, err := d.run(ctx, true, signInScript, id, was, tokenText(token), rehash, people.MaxTokens)
	return err
}

// SignOut implements people.Directory.
func (d *Directory) SignOut(ctx context.Context, token people.Digest) error {
	_, err := d.run(ctx, true, signOutScript, tokenText(token))
	return err
}

// Session implements people.Directory.
func (d *Directory) Session(ctx context.Context, token people.Digest) (people.Account, error) {
	return d.account(d.run(ctx, false, sessionScript, tokenText(token), int64(people.TokenMemory/time.Hour)))
}

// Wrong implements people.Directory.
func (d *Directory) Wrong(ctx context.Context, folded string) error {
	_, err := d.run(ctx, true, wrongScript, folded, people.MaxWrong, people.WrongMemory.Milliseconds())
	return err
}

// Locked implements people.Directory.
func (d *Directory) Locked(ctx context.Context, folded string) (time.Duration, error) {
	reply, err := d.run(ctx, false, lockedScript, folded, people.MaxWrong, people.WrongMemory.Milliseconds(), people.LockTime.Milliseconds())
	if err != nil {
		return 0, err
	}
	if len(reply) != 1 {
		return 0, d.malformed()
	}
	ms, err := strconv.ParseInt(reply[0], 10, 64)
	if err != nil {
		return 0, d.malformed()
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// CreateRoom implements people.Directory.
func (d *Directory) CreateRoom(ctx context.Context, n people.NewRoom) (people.Room, bool, error) {
	args := []any{
		n.ID, n.Name, n.Creator, keyText(n.Key), people.KeyMemory.Milliseconds(),
		people.MaxMembers, people.MaxRooms,
	}
	for _, folded := range n.Members {
		args = append(args, folded)
	}
	reply, err := d.run(ctx, true, createRoomScript, args...)
	if err != nil {
		return people.Room{}, false, err
	}
	if len(reply) == 0 {
		return people.Room{}, false, d.malformed()
	}
	r, err := d.room(reply[1:], nil)
	return r, reply[0] != "", err
}

// Room implements people.Directory.
func (d *Directory) Room(ctx context.Context, room, who string) (people.Room, error) {
	return d.room(d.run(ctx, false, roomScript, room, who))
}

// Rooms implements people.Directory.
func (d *Directory) Rooms(ctx context.Context, who string) ([]people.Room, error) {
	reply, err := d.run(ctx, false, roomsScript, who)
	if err != nil {
		return nil, err
	}
	var list []people.Room
	for ; len(reply) > 0; reply = reply[roomFields:] {
		r, ok := readRoom(reply)
		if !ok {
			return nil, d.malformed()
		}
		list = append(list, r)
	}
	return list, nil
}

// AddMember implements people.Directory.
func (d *Directory) AddMember(ctx context.Context, room, by, folded string) (people.Membership, error) {
	return d.membership(d.run(ctx, true, addMemberScript, room, by, folded, people.MaxMembers))
}

// RemoveMember implements people.Directory.
func (d *Directory) RemoveMember(ctx context.Context, room, by, folded string) (people.Membership, error) {
	return d.membership(d.run(ctx, true, removeMemberScript, room, by, folded))
}

// ChangeRoom implements people.Directory.
func (d *Directory) ChangeRoom(ctx context.Context, room, by, name, creator string) (people.Room, error) {
	return d.room(d.run(ctx, true, changeRoomScript, room, by, name, creator, people.MaxRooms))
}

// DeleteRoom implements people.Directory.
func (d *Directory) DeleteRoom(ctx context.Context, room, by string) error {
	_, err := d.run(ctx, true, deleteRoomScript, room, by)
	return err
}

// Filters implements people.Directory.
func (d *Directory) Filters(ctx context.Context, who string) ([]people.SavedFilter, error) {
	ctx, cancel := d.s.within(ctx)
	defer cancel()
	var all map[string]string
	err := d.s.try(ctx, d.s.cmd, &d.reads, d.keys.prefix, func(ctx context.Context, c *redis.Client) (err error) {
		all, err = c.HGetAll(ctx, d.keys.filters(who)).Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return people.SortedFilters(all), nil
}

// SaveFilter implements people.Directory.
func (d *Directory) SaveFilter(ctx context.Context, who string, f people.SavedFilter) error {
	_, err := d.run(ctx, true, saveFilterScript, who, f.Name, f.Filter, people.MaxFilters)
	return err
}

// DeleteFilter implements people.Directory.
func (d *Directory) DeleteFilter(ctx context.Context, who, name string) error {
	_, err := d.run(ctx, true, deleteFilterScript, who, name)
	return err
}

// Changes implements people.Directory: it tails a stream as Read tails the
// log. Between two waits it makes sure that the stream is the one it was: a
// replica that lacked its end may have become master.
func (d *Directory) Changes(ctx context.Context, after string, wait time.Duration) ([]people.Change, string, error) {
	ctx, cancel := d.s.within(ctx)
	defer cancel()
	end := time.Now().Add(wait)
	for {
		removed, last, err := d.extent(ctx)
		if err != nil {
			return nil, "", fmt.Errorf("directory: %w", err)
		}
		if after == "" {
			return nil, last.text(), nil
		}
		at, ok := parseStreamID(after)
		if !ok || last.before(at) || at.before(removed) {
			return nil, "", people.ErrLost
		}
		slice := min(tailSlice, time.Until(end))
		if at == last && (slice <= 0 || ctx.Err() != nil) {
			return nil, after, context.Cause(ctx)
		}
		list, next, err := d.tail(ctx, after, slice)
		if ctx.Err() != nil && err != nil {
			return nil, "", context.Cause(ctx)
		}
		if err != nil {
			return nil, "", fmt.Errorf("directory: %w", err)
		}
		if next != after {
			return list, next, nil
		}
	}
}

// tail waits up to slice for entries of the stream after a position.
func (d *Directory) tail(ctx context.Context, after string, slice time.Duration) (list []people.Change, next string, err error) {
	const most = 256
	next = after
	err = d.s.try(ctx, d.s.tail, &d.reads, d.keys.prefix, func(ctx context.Context, c *redis.Client) error {
		ctx, cancel := context.WithTimeout(ctx, max(0, slice)+tailGrace)
		defer cancel()
		streams, err := c.XRead(ctx, &redis.XReadArgs{
			Streams: []string{d.keys.changes, after}, Count: most, Block: max(time.Millisecond, slice),
		}).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, m := range streams[0].Messages {
			next = m.ID
			list = append(list, readChange(m.Values))
		}
		return nil
	})
	return list, next, err
}

// extent is up to where the stream of changes was cut, and where it ends.
func (d *Directory) extent(ctx context.Context) (removed, last streamID, err error) {
	err = d.s.try(ctx, d.s.cmd, &d.reads, d.keys.prefix, func(ctx context.Context, c *redis.Client) error {
		info, err := c.XInfoStream(ctx, d.keys.changes).Result()
		if redis.HasErrorPrefix(err, "no such key") {
			return nil // nothing has changed yet: both are zero
		}
		if err != nil {
			return err
		}
		var ok bool
		if last, ok = parseStreamID(info.LastGeneratedID); !ok {
			return errAnswer("the end of the directory's stream of changes")
		}
		if info.EntriesAdded > info.Length { // it was cut before its first entry
			first, ok := parseStreamID(info.FirstEntry.ID)
			if !ok {
				first = last
			}
			removed = first.previous()
		}
		return nil
	})
	return removed, last, err
}

// streamID is an entry's ms-seq.
type streamID struct{ ms, seq uint64 }

func parseStreamID(s string) (id streamID, ok bool) {
	ms, seq, _ := strings.Cut(s, "-")
	var err1, err2 error
	id.ms, err1 = strconv.ParseUint(ms, 10, 64)
	id.seq, err2 = strconv.ParseUint(seq, 10, 64)
	return id, err1 == nil && err2 == nil
}

func (id streamID) before(o streamID) bool {
	return id.ms < o.ms || id.ms == o.ms && id.seq < o.seq
}

func (id streamID) previous() streamID {
	switch {
	case id.seq > 0:
		return streamID{id.ms, id.seq - 1}
	case id.ms > 0:
		return streamID{id.ms - 1, 1<<64 - 1}
	}
	return id
}

func (id streamID) text() string { return fmt.Sprintf("%d-%d", id.ms, id.seq) }

// readChange reads an entry of the stream. A kind of a later version comes as
// it is: whoever follows knows what it knows.
func readChange(v map[string]any) people.Change {
	field := func(name string) string { s, _ := v[name].(string); return s }
	version, _ := strconv.ParseUint(field("version"), 10, 64) // "": none
	return people.Change{
		Kind: people.ChangeKind(field("kind")), Account: field("account"), Address: field("address"),
		Room: field("room"), Token: readToken(field("token")), Version: version,
	}
}

// account reads an answer with an account.
func (d *Directory) account(reply []string, err error) (people.Account, error) {
	if err != nil {
		return people.Account{}, err
	}
	if len(reply) != 6 {
		return people.Account{}, d.malformed()
	}
	created, err := strconv.ParseInt(reply[5], 10, 64)
	if err != nil {
		return people.Account{}, d.malformed()
	}
	return people.Account{
		ID: reply[0], Email: reply[1], Folded: reply[2], Name: reply[3], Password: reply[4],
		Created: time.UnixMilli(created).UTC(),
	}, nil
}

// roomFields is how many strings lua/people/common.lua describes a room with,
// before its members.
const roomFields = 7

func readRoom(reply []string) (people.Room, bool) {
	if len(reply) < roomFields {
		return people.Room{}, false
	}
	created, err1 := strconv.ParseInt(reply[3], 10, 64)
	version, err2 := strconv.ParseUint(reply[4], 10, 64)
	count, err3 := strconv.Atoi(reply[5])
	joined, err4 := strconv.ParseUint(reply[6], 10, 64)
	return people.Room{
		ID: reply[0], Name: reply[1], Creator: reply[2], Created: time.UnixMilli(created).UTC(),
		Version: version, Count: count, Joined: joined,
	}, errors.Join(err1, err2, err3, err4) == nil
}

// room reads an answer with a room and its members.
func (d *Directory) room(reply []string, err error) (people.Room, error) {
	if err != nil {
		return people.Room{}, err
	}
	r, ok := readRoom(reply)
	if !ok || (len(reply)-roomFields)%3 != 0 {
		return people.Room{}, d.malformed()
	}
	for m := reply[roomFields:]; len(m) > 0; m = m[3:] {
		r.Members = append(r.Members, people.Member{Account: m[0], Email: m[1], Name: m[2]})
	}
	return r, nil
}

func (d *Directory) membership(reply []string, err error) (people.Membership, error) {
	if err != nil {
		return people.Membership{}, err
	}
	if len(reply) != 2 {
		return people.Membership{}, d.malformed()
	}
	version, err := strconv.ParseUint(reply[1], 10, 64)
	if err != nil {
		return people.Membership{}, d.malformed()
	}
	return people.Membership{Account: reply[0], Version: version}, nil
}

// tokenText is how keys and scripts name a token: ” for none.
func tokenText(t people.Digest) string {
	if t.IsZero() {
		return ""
	}
	return hex.EncodeToString(t[:])
}

func readToken(s string) (t people.Digest) {
	b, err := hex.DecodeString(s)
	if err == nil && len(b) == len(t) {
		copy(t[:], b)
	}
	return t
}

// keyText names the key of a room within a key of Redis: of fixed size.
func keyText(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
