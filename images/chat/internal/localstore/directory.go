package localstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"chatapp/chat/internal/people"
)

// The directory's buckets, in the log's file. Records are JSON.
//
//	accounts   id → account
//	addresses  folded address → id
//	tokens     digest → hour of the last use (4 bytes), account
//	holders    account, NUL, digest → nothing: the tokens of an account
//	wrong      folded address → when the last wrong passwords came (8 bytes each, newest first)
//	rooms      room → room, with its members
//	places-of  account, NUL, room → nothing: the rooms of an account
//	made       account, NUL, digest of a key → when (8 bytes), room
//	filters    account, NUL, name → filter
var (
	bucketAccounts  = []byte("accounts")
	bucketAddresses = []byte("addresses")
	bucketTokens    = []byte("tokens")
	bucketHolders   = []byte("holders")
	bucketWrong     = []byte("wrong")
	bucketRooms     = []byte("rooms")
	bucketPlacesOf  = []byte("places-of")
	bucketMade      = []byte("made")
	bucketFilters   = []byte("filters")

	peopleBuckets = [][]byte{
		bucketAccounts, bucketAddresses, bucketTokens, bucketHolders, bucketWrong,
		bucketRooms, bucketPlacesOf, bucketMade, bucketFilters,
	}
)

// Directory is a people.Directory in the log's file: each change is one
// transaction. Changes are told within this process: no other one can have
// the file open.
type Directory struct {
	db  *bbolt.DB
	now func() time.Time

	order sync.Mutex // held by each change, so that they are told in their order

	mu      sync.Mutex
	changes []people.Change // the last of them
	told    uint64          // how many there were
	more    chan struct{}   // closed, and replaced, by each change
}

var _ people.Directory = (*Directory)(nil)

// keptChanges is how many changes are kept for followers that are behind.
const keptChanges = 10_000

func newDirectory(db *bbolt.DB, now func() time.Time) *Directory {
	return &Directory{db: db, now: now, more: make(chan struct{})}
}

// peopleTx is a transaction on the directory. Its changes are told when it has
// been committed.
type peopleTx struct {
	*bbolt.Tx
	now  time.Time
	tell []people.Change
}

func (d *Directory) update(ctx context.Context, op func(*peopleTx) error) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	d.order.Lock()
	defer d.order.Unlock()
	var p *peopleTx
	err := d.db.Update(func(tx *bbolt.Tx) error {
		p = &peopleTx{Tx: tx, now: d.now()}
		return op(p)
	})
	if err == nil {
		d.publish(p.tell)
	}
	return wrap(err)
}

func (d *Directory) view(ctx context.Context, op func(*peopleTx) error) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	return wrap(d.db.View(func(tx *bbolt.Tx) error { return op(&peopleTx{Tx: tx, now: d.now()}) }))
}

// wrap names the directory in errors of the file. Errors that are answers stay
// as they are.
func wrap(err error) error {
	for _, answer := range [...]error{
		nil, people.ErrNone, people.ErrTaken, people.ErrStale, people.ErrForbidden,
		people.ErrNotMember, people.ErrTooMany, people.ErrLost,
	} {
		if err == answer {
			return err
		}
	}
	if _, ok := errors.AsType[*people.UnknownAddresses](err); ok {
		return err
	}
	return fmt.Errorf("directory: %w", err)
}

func (d *Directory) publish(list []people.Change) {
	if len(list) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told += uint64(len(list))
	d.changes = append(d.changes, list...)
	if n := len(d.changes); n > 2*keptChanges {
		d.changes = slices.Clone(d.changes[n-keptChanges:])
	}
	close(d.more)
	d.more = make(chan struct{})
}

// Changes implements people.Directory.
func (d *Directory) Changes(ctx context.Context, after string, wait time.Duration) ([]people.Change, string, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		d.mu.Lock()
		told, more := d.told, d.more
		var list []people.Change
		at, err := strconv.ParseUint(after, 10, 64)
		kept := uint64(len(d.changes))
		lost := err != nil || at > told || told-at > kept
		if !lost {
			list = slices.Clone(d.changes[kept-(told-at):])
		}
		d.mu.Unlock()
		next := strconv.FormatUint(told, 10)
		switch {
		case after == "":
			return nil, next, nil
		case lost:
			return nil, "", people.ErrLost
		case len(list) > 0:
			return list, next, nil
		}
		select {
		case <-more:
		case <-timer.C:
			return nil, after, nil
		case <-ctx.Done():
			return nil, "", fmt.Errorf("directory: %w", context.Cause(ctx))
		}
	}
}

func (tx *peopleTx) put(bucket, key []byte, record any) error {
	v, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(key, v)
}

// get reads a record; ErrNone if it is not there.
func (tx *peopleTx) get(bucket, key []byte, record any) error {
	v := tx.Bucket(bucket).Get(key)
	if v == nil {
		return people.ErrNone
	}
	if err := json.Unmarshal(v, record); err != nil {
		return fmt.Errorf("read %s: %w", bucket, err)
	}
	return nil
}

// pair is a key of two parts. The first holds no NUL.
func pair(a, b string) []byte { return append(append([]byte(a), 0), b...) }

// seconds lists the second halves of all pairs that begin with a.
func (tx *peopleTx) seconds(bucket []byte, a string) []string {
	var list []string
	prefix := pair(a, "")
	c := tx.Bucket(bucket).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		list = append(list, string(k[len(prefix):]))
	}
	return list
}

func (tx *peopleTx) account(id string) (a people.Account, err error) {
	return a, tx.get(bucketAccounts, []byte(id), &a)
}

// holder is the account of a folded address, "" if there is none.
func (tx *peopleTx) holder(folded string) string {
	return string(tx.Bucket(bucketAddresses).Get([]byte(folded)))
}

// accountWith is an account with this password hash ("": any).
func (tx *peopleTx) accountWith(id, was string) (people.Account, error) {
	a, err := tx.account(id)
	if err == nil && was != "" && was != a.Password {
		err = people.ErrStale
	}
	return a, err
}

func (tx *peopleTx) hour() uint32 { return uint32(tx.now.Unix() / 3600) }

func (tx *peopleTx) addToken(id string, token people.Digest) error {
	v := append(binary.BigEndian.AppendUint32(nil, tx.hour()), id...)
	if err := tx.Bucket(bucketTokens).Put(token[:], v); err != nil {
		return err
	}
	return tx.Bucket(bucketHolders).Put(pair(id, string(token[:])), nil)
}

func (tx *peopleTx) endToken(id string, token []byte) error {
	if err := tx.Bucket(bucketTokens).Delete(token); err != nil {
		return err
	}
	return tx.Bucket(bucketHolders).Delete(pair(id, string(token)))
}

// readUse reads a token's value.
func readUse(v []byte) (hour uint32, account string) {
	return binary.BigEndian.Uint32(v), string(v[4:])
}

// Register implements people.Directory.
func (d *Directory) Register(ctx context.Context, a people.Account, token people.Digest) error {
	return d.update(ctx, func(tx *peopleTx) error {
		if tx.holder(a.Folded) != "" || tx.Bucket(bucketAccounts).Get([]byte(a.ID)) != nil {
			return people.ErrTaken
		}
		a.Created = tx.now.UTC().Truncate(time.Millisecond)
		if err := tx.put(bucketAccounts, []byte(a.ID), a); err != nil {
			return err
		}
		if err := tx.Bucket(bucketAddresses).Put([]byte(a.Folded), []byte(a.ID)); err != nil {
			return err
		}
		tx.tell = append(tx.tell, people.Change{Kind: people.Registered, Account: a.ID, Address: a.Folded})
		if token.IsZero() {
			return nil
		}
		return tx.addToken(a.ID, token)
	})
}

// Account implements people.Directory.
func (d *Directory) Account(ctx context.Context, id string) (a people.Account, err error) {
	err = d.view(ctx, func(tx *peopleTx) (err error) {
		a, err = tx.account(id)
		return err
	})
	return a, err
}

// AccountAt implements people.Directory.
func (d *Directory) AccountAt(ctx context.Context, folded string) (a people.Account, err error) {
	err = d.view(ctx, func(tx *peopleTx) (err error) {
		a, err = tx.account(tx.holder(folded))
		return err
	})
	return a, err
}

// Accounts implements people.Directory: in the order of addresses.
func (d *Directory) Accounts(ctx context.Context, after string, most int) (list []people.Account, next string, err error) {
	err = d.view(ctx, func(tx *peopleTx) error {
		c := tx.Bucket(bucketAddresses).Cursor()
		for k, id := c.Seek([]byte(after)); k != nil; k, id = c.Next() {
			if string(k) == after {
				continue
			}
			if len(list) == max(1, most) {
				next = list[len(list)-1].Folded
				return nil
			}
			a, err := tx.account(string(id))
			if err != nil {
				return err
			}
			list = append(list, a)
		}
		return nil
	})
	return list, next, err
}

// Change implements people.Directory.
func (d *Directory) Change(ctx context.Context, id, was string, c people.AccountChange) (a people.Account, err error) {
	err = d.update(ctx, func(tx *peopleTx) error {
		if a, err = tx.accountWith(id, was); err != nil {
			return err
		}
		if c.Name != nil {
			a.Name = *c.Name
			tx.tell = append(tx.tell, people.Change{Kind: people.Renamed, Account: id})
		}
		if c.Password != nil {
			a.Password = *c.Password
			for _, token := range tx.seconds(bucketHolders, id) {
				if token == string(c.Keep[:]) {
					continue
				}
				if err := tx.endToken(id, []byte(token)); err != nil {
					return err
				}
			}
			tx.tell = append(tx.tell, people.Change{Kind: people.NewPassword, Account: id, Token: c.Keep})
		}
		return tx.put(bucketAccounts, []byte(id), a)
	})
	return a, err
}

// Delete implements people.Directory.
func (d *Directory) Delete(ctx context.Context, id, was string) error {
	return d.update(ctx, func(tx *peopleTx) error {
		a, err := tx.accountWith(id, was)
		if err != nil {
			return err
		}
		for _, room := range tx.seconds(bucketPlacesOf, id) {
			r, err := tx.room(room, id)
			if err != nil {
				return err
			}
			if err := tx.leave(&r, id); err != nil {
				return err
			}
		}
		for _, token := range tx.seconds(bucketHolders, id) {
			if err := tx.endToken(id, []byte(token)); err != nil {
				return err
			}
		}
		for _, name := range tx.seconds(bucketFilters, id) {
			if err := tx.Bucket(bucketFilters).Delete(pair(id, name)); err != nil {
				return err
			}
		}
		tx.tell = append(tx.tell, people.Change{Kind: people.Deleted, Account: id, Address: a.Folded})
		return errors.Join(
			tx.Bucket(bucketAddresses).Delete([]byte(a.Folded)),
			tx.Bucket(bucketAccounts).Delete([]byte(id)))
	})
}

// SignIn implements people.Directory.
func (d *Directory) SignIn(ctx context.Context, id, was string, token people.Digest, rehash string) error {
	return d.update(ctx, func(tx *peopleTx) error {
		a, err := tx.accountWith(id, was)
		if errors.Is(err, people.ErrNone) {
			err = people.ErrStale
		}
		if err != nil {
			return err
		}
		all := tx.seconds(bucketHolders, id)
		for len(all) >= people.MaxTokens {
			oldest, least := 0, uint32(1<<32-1)
			for i, t := range all {
				if hour, _ := readUse(tx.Bucket(bucketTokens).Get([]byte(t))); hour < least {
					oldest, least = i, hour
				}
			}
			ended := all[oldest]
			if err := tx.endToken(id, []byte(ended)); err != nil {
				return err
			}
			tx.tell = append(tx.tell, people.Change{Kind: people.SignedOut, Account: id, Token: people.Digest([]byte(ended))})
			all = slices.Delete(all, oldest, oldest+1)
		}
		if rehash != "" {
			a.Password = rehash
			if err := tx.put(bucketAccounts, []byte(id), a); err != nil {
				return err
			}
		}
		return tx.addToken(id, token)
	})
}

// SignOut implements people.Directory.
func (d *Directory) SignOut(ctx context.Context, token people.Digest) error {
	return d.update(ctx, func(tx *peopleTx) error {
		v := tx.Bucket(bucketTokens).Get(token[:])
		if v == nil {
			return nil
		}
		_, id := readUse(v)
		tx.tell = append(tx.tell, people.Change{Kind: people.SignedOut, Account: id, Token: token})
		return tx.endToken(id, token[:])
	})
}

// tokenHours is how many whole hours a token lasts unused.
const tokenHours = uint32(people.TokenMemory / time.Hour)

// Session implements people.Directory. It writes once an hour at the most.
func (d *Directory) Session(ctx context.Context, token people.Digest) (a people.Account, err error) {
	var old bool
	find := func(tx *peopleTx) error {
		v := tx.Bucket(bucketTokens).Get(token[:])
		if v == nil {
			return people.ErrNone
		}
		used, id := readUse(v)
		if tx.hour()-used >= tokenHours {
			return people.ErrNone
		}
		old = used != tx.hour()
		a, err = tx.account(id)
		return err
	}
	if err := d.view(ctx, find); err != nil || !old {
		return a, err
	}
	err = d.update(ctx, func(tx *peopleTx) error {
		if err := find(tx); err != nil {
			return err
		}
		return tx.addToken(a.ID, token)
	})
	return a, err
}

// Wrong implements people.Directory.
func (d *Directory) Wrong(ctx context.Context, folded string) error {
	return d.update(ctx, func(tx *peopleTx) error {
		b := tx.Bucket(bucketWrong)
		times := binary.BigEndian.AppendUint64(nil, uint64(tx.now.UnixMilli()))
		times = append(times, b.Get([]byte(folded))...)
		return b.Put([]byte(folded), times[:min(len(times), 8*people.MaxWrong)])
	})
}

// Locked implements people.Directory.
func (d *Directory) Locked(ctx context.Context, folded string) (left time.Duration, err error) {
	err = d.view(ctx, func(tx *peopleTx) error {
		times := tx.Bucket(bucketWrong).Get([]byte(folded))
		if len(times) < 8*people.MaxWrong {
			return nil
		}
		newest := time.UnixMilli(int64(binary.BigEndian.Uint64(times)))
		oldest := time.UnixMilli(int64(binary.BigEndian.Uint64(times[8*(people.MaxWrong-1):])))
		if newest.Sub(oldest) < people.WrongMemory {
			left = max(0, newest.Add(people.LockTime).Sub(tx.now))
		}
		return nil
	})
	return left, err
}

// Filters implements people.Directory.
func (d *Directory) Filters(ctx context.Context, who string) ([]people.SavedFilter, error) {
	all := map[string]string{}
	err := d.view(ctx, func(tx *peopleTx) error {
		for _, name := range tx.seconds(bucketFilters, who) {
			all[name] = string(tx.Bucket(bucketFilters).Get(pair(who, name)))
		}
		return nil
	})
	return people.SortedFilters(all), err
}

// SaveFilter implements people.Directory.
func (d *Directory) SaveFilter(ctx context.Context, who string, f people.SavedFilter) error {
	return d.update(ctx, func(tx *peopleTx) error {
		if _, err := tx.account(who); err != nil {
			return err
		}
		b, key := tx.Bucket(bucketFilters), pair(who, f.Name)
		if b.Get(key) == nil && len(tx.seconds(bucketFilters, who)) >= people.MaxFilters {
			return people.ErrTooMany
		}
		return b.Put(key, []byte(f.Filter))
	})
}

// DeleteFilter implements people.Directory.
func (d *Directory) DeleteFilter(ctx context.Context, who, name string) error {
	return d.update(ctx, func(tx *peopleTx) error {
		b, key := tx.Bucket(bucketFilters), pair(who, name)
		if b.Get(key) == nil {
			return people.ErrNone
		}
		return b.Delete(key)
	})
}

// tidy removes some of the tokens, wrong passwords and keys of rooms whose time
// is over, and reports whether there may be more. If there are none it writes
// nothing, so an idle directory costs no fsync.
func (d *Directory) tidy() (more bool, err error) {
	const limit = 1000
	now := d.now()
	hour := uint32(now.Unix() / 3600)
	before := func(v []byte, memory time.Duration) bool {
		return int64(binary.BigEndian.Uint64(v)) < now.Add(-memory).UnixMilli()
	}
	kinds := []struct {
		bucket []byte
		dead   func(v []byte) bool
	}{
		{bucketTokens, func(v []byte) bool { used, _ := readUse(v); return hour-used >= tokenHours }},
		{bucketWrong, func(v []byte) bool { return before(v, people.WrongMemory) }},
		{bucketMade, func(v []byte) bool { return before(v, people.KeyMemory) }},
	}
	found := false
	dead := make([][][]byte, len(kinds))
	err = d.db.View(func(tx *bbolt.Tx) error {
		for i, kind := range kinds {
			c := tx.Bucket(kind.bucket).Cursor()
			for k, v := c.First(); k != nil && len(dead[i]) < limit; k, v = c.Next() {
				if kind.dead(v) {
					dead[i] = append(dead[i], slices.Clone(k))
				}
			}
			found = found || len(dead[i]) > 0
			more = more || len(dead[i]) == limit
		}
		return nil
	})
	if err != nil || !found {
		return false, err
	}
	return more, d.db.Update(func(tx *bbolt.Tx) error {
		for i, kind := range kinds {
			b := tx.Bucket(kind.bucket)
			for _, k := range dead[i] {
				v := b.Get(k)
				if v == nil || !kind.dead(v) {
					continue // used again meanwhile
				}
				if i == 0 {
					_, id := readUse(v)
					if err := tx.Bucket(bucketHolders).Delete(pair(id, string(k))); err != nil {
						return err
					}
				}
				if err := b.Delete(k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// keyDigest makes a key short, and free of NUL.
func keyDigest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return string(sum[:16])
}
