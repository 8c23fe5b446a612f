package localstore

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"chatapp/chat/internal/people"
)

// roomRecord is how a room is kept.
type roomRecord struct {
	ID, Name, Creator string
	Created           time.Time
	Version           uint64
	Members           []memberRecord // the longest-standing first
}

type memberRecord struct {
	Account string
	Joined  uint64 // the room's version then
}

func (r *roomRecord) index(account string) int {
	return slices.IndexFunc(r.Members, func(m memberRecord) bool { return m.Account == account })
}

// room reads a room for one of its members.
func (tx *peopleTx) room(room, who string) (r roomRecord, err error) {
	if err := tx.get(bucketRooms, []byte(room), &r); err != nil {
		return r, err
	}
	if r.index(who) < 0 {
		return r, people.ErrNone
	}
	return r, nil
}

// ownRoom reads a room for its creator.
func (tx *peopleTx) ownRoom(room, by string) (roomRecord, error) {
	r, err := tx.room(room, by)
	if err == nil && r.Creator != by {
		err = people.ErrForbidden
	}
	return r, err
}

// describe gives a room as a member sees it.
func (tx *peopleTx) describe(r roomRecord, who string, members bool) (people.Room, error) {
	out := people.Room{
		ID: r.ID, Name: r.Name, Creator: r.Creator, Created: r.Created, Count: len(r.Members),
		Version: r.Version, Joined: r.Members[r.index(who)].Joined,
	}
	if !members {
		return out, nil
	}
	for _, m := range r.Members {
		a, err := tx.account(m.Account)
		if err != nil {
			return out, err
		}
		out.Members = append(out.Members, people.Member{Account: a.ID, Email: a.Email, Name: a.Name})
	}
	return out, nil
}

// join adds a member to the record, and leave takes one out; both write it.
func (tx *peopleTx) join(r *roomRecord, id string) error {
	r.Version++
	r.Members = append(r.Members, memberRecord{id, r.Version})
	tx.tell = append(tx.tell, people.Change{Kind: people.Joined, Room: r.ID, Account: id, Version: r.Version})
	return errors.Join(tx.put(bucketRooms, []byte(r.ID), r), tx.Bucket(bucketPlacesOf).Put(pair(id, r.ID), nil))
}

func (tx *peopleTx) leave(r *roomRecord, id string) error {
	r.Version++
	r.Members = slices.DeleteFunc(r.Members, func(m memberRecord) bool { return m.Account == id })
	tx.tell = append(tx.tell, people.Change{Kind: people.Left, Room: r.ID, Account: id, Version: r.Version})
	if err := tx.Bucket(bucketPlacesOf).Delete(pair(id, r.ID)); err != nil {
		return err
	}
	if len(r.Members) == 0 {
		tx.tell = append(tx.tell, people.Change{Kind: people.RoomDeleted, Room: r.ID, Version: r.Version})
		return tx.Bucket(bucketRooms).Delete([]byte(r.ID))
	}
	if r.Creator == id {
		r.Creator = r.Members[0].Account
	}
	return tx.put(bucketRooms, []byte(r.ID), r)
}

// created counts the rooms that an account is creator of.
func (tx *peopleTx) created(id string) (n int, err error) {
	for _, room := range tx.seconds(bucketPlacesOf, id) {
		r, err := tx.room(room, id)
		if err != nil {
			return 0, err
		}
		if r.Creator == id {
			n++
		}
	}
	return n, nil
}

// CreateRoom implements people.Directory.
func (d *Directory) CreateRoom(ctx context.Context, n people.NewRoom) (room people.Room, repeated bool, err error) {
	key := pair(n.Creator, keyDigest(n.Key))
	err = d.update(ctx, func(tx *peopleTx) error {
		if v := tx.Bucket(bucketMade).Get(key); v != nil {
			if at := time.UnixMilli(int64(binary.BigEndian.Uint64(v))); tx.now.Sub(at) < people.KeyMemory {
				repeated = true
				r, err := tx.room(string(v[8:]), n.Creator)
				if err != nil {
					return err
				}
				room, err = tx.describe(r, n.Creator, true)
				return err
			}
		}
		if _, err := tx.account(n.Creator); err != nil {
			return err
		}
		if tx.Bucket(bucketRooms).Get([]byte(n.ID)) != nil {
			return people.ErrNone
		}
		members, unknown := []string{n.Creator}, []string(nil)
		known := map[string]bool{n.Creator: true}
		for _, folded := range n.Members {
			switch id := tx.holder(folded); {
			case id == "":
				unknown = append(unknown, folded)
			case !known[id]:
				known[id] = true
				members = append(members, id)
			}
		}
		if len(unknown) > 0 {
			return &people.UnknownAddresses{Addresses: unknown}
		}
		mine, err := tx.created(n.Creator)
		if err != nil {
			return err
		}
		if len(members) > people.MaxMembers || mine >= people.MaxRooms {
			return people.ErrTooMany
		}
		r := roomRecord{ID: n.ID, Name: n.Name, Creator: n.Creator, Created: tx.now.UTC().Truncate(time.Millisecond)}
		for _, id := range members {
			if err := tx.join(&r, id); err != nil {
				return err
			}
		}
		v := binary.BigEndian.AppendUint64(nil, uint64(tx.now.UnixMilli()))
		if err := tx.Bucket(bucketMade).Put(key, append(v, n.ID...)); err != nil {
			return err
		}
		room, err = tx.describe(r, n.Creator, true)
		return err
	})
	return room, repeated, err
}

// Room implements people.Directory.
func (d *Directory) Room(ctx context.Context, room, who string) (out people.Room, err error) {
	err = d.view(ctx, func(tx *peopleTx) error {
		r, err := tx.room(room, who)
		if err != nil {
			return err
		}
		out, err = tx.describe(r, who, true)
		return err
	})
	return out, err
}

// Rooms implements people.Directory.
func (d *Directory) Rooms(ctx context.Context, who string) (list []people.Room, err error) {
	err = d.view(ctx, func(tx *peopleTx) error {
		for _, room := range tx.seconds(bucketPlacesOf, who) {
			r, err := tx.room(room, who)
			if err != nil {
				return err
			}
			out, err := tx.describe(r, who, false)
			if err != nil {
				return err
			}
			list = append(list, out)
		}
		return nil
	})
	return list, err
}

// AddMember implements people.Directory.
func (d *Directory) AddMember(ctx context.Context, room, by, folded string) (m people.Membership, err error) {
	err = d.update(ctx, func(tx *peopleTx) error {
		r, err := tx.ownRoom(room, by)
		if err != nil {
			return err
		}
		m.Account = tx.holder(folded)
		switch {
		case m.Account == "":
			return &people.UnknownAddresses{Addresses: []string{folded}}
		case r.index(m.Account) >= 0:
		case len(r.Members) >= people.MaxMembers:
			return people.ErrTooMany
		default:
			err = tx.join(&r, m.Account)
		}
		m.Version = r.Version
		return err
	})
	return m, err
}

// RemoveMember implements people.Directory.
func (d *Directory) RemoveMember(ctx context.Context, room, by, folded string) (m people.Membership, err error) {
	err = d.update(ctx, func(tx *peopleTx) error {
		m.Account = tx.holder(folded)
		r, err := tx.ownRoom(room, by)
		if err != nil && !(errors.Is(err, people.ErrForbidden) && m.Account == by) {
			return err
		}
		err = nil
		if m.Account != "" && r.index(m.Account) >= 0 {
			err = tx.leave(&r, m.Account)
		}
		m.Version = r.Version
		return err
	})
	return m, err
}

// ChangeRoom implements people.Directory.
func (d *Directory) ChangeRoom(ctx context.Context, room, by, name, creator string) (out people.Room, err error) {
	err = d.update(ctx, func(tx *peopleTx) error {
		r, err := tx.ownRoom(room, by)
		if err != nil {
			return err
		}
		if creator != "" && creator != by {
			if r.index(creator) < 0 {
				return people.ErrNotMember
			}
			n, err := tx.created(creator)
			if err != nil {
				return err
			}
			if n >= people.MaxRooms {
				return people.ErrTooMany
			}
			r.Creator = creator
		}
		if name != "" {
			r.Name = name
		}
		r.Version++
		tx.tell = append(tx.tell, people.Change{Kind: people.RoomChanged, Room: room, Version: r.Version})
		if err := tx.put(bucketRooms, []byte(room), r); err != nil {
			return err
		}
		out, err = tx.describe(r, by, true)
		return err
	})
	return out, err
}

// DeleteRoom implements people.Directory.
func (d *Directory) DeleteRoom(ctx context.Context, room, by string) error {
	return d.update(ctx, func(tx *peopleTx) error {
		r, err := tx.ownRoom(room, by)
		if err != nil {
			return err
		}
		for _, m := range r.Members {
			if err := tx.Bucket(bucketPlacesOf).Delete(pair(m.Account, room)); err != nil {
				return err
			}
		}
		tx.tell = append(tx.tell, people.Change{Kind: people.RoomDeleted, Room: room, Version: r.Version + 1})
		return tx.Bucket(bucketRooms).Delete([]byte(room))
	})
}
