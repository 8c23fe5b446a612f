package localstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"chatapp/chat/internal/chat"
)

var _ chat.Numbers = (*Store)(nil)

// book is the numbers under change in one transaction.
type book struct {
	numbers, votes, replies, changes *bbolt.Bucket
	floor                            chat.Pos
	rev                              chat.Rev
	pages                            map[chat.Pos]*counts
	order                            []chat.Pos // of the changed
}

type counts struct {
	chat.Change
	changed bool
}

func (s *Store) openBook(tx *bbolt.Tx) *book {
	b := &book{
		numbers: tx.Bucket(bucketNumbers), votes: tx.Bucket(bucketVotes),
		replies: tx.Bucket(bucketReplies), changes: tx.Bucket(bucketChanges), pages: map[chat.Pos]*counts{},
	}
	meta := tx.Bucket(bucketMeta)
	b.floor, _ = readPos(meta.Get(metaFloor))
	head, _ := readPos(meta.Get(metaHead))
	if k, _ := b.changes.Cursor().Last(); k != nil {
		b.rev = chat.Rev(binary.BigEndian.Uint64(k))
	}
	b.rev = max(b.rev, chat.RevAt(head)+999, chat.Rev(max(0, s.now().UnixMicro())))
	return b
}

// page gives the numbers of a message, nil if retention has removed it.
func (b *book) page(id chat.ID, topic string) *counts {
	if id.Pos.Compare(b.floor) <= 0 {
		return nil
	}
	p := b.pages[id.Pos]
	if p == nil {
		p = &counts{Change: chat.Change{ID: id, Topic: topic}}
		if v := b.numbers.Get(posKey(id.Pos)); v != nil {
			p.Change = readChange(id.Pos, v)
		}
		b.pages[id.Pos] = p
	}
	return p
}

func (b *book) touch(p *counts) {
	if !p.changed {
		p.changed = true
		b.order = append(b.order, p.ID.Pos)
	}
}

// close writes what has changed.
func (b *book) close() error {
	for _, pos := range b.order {
		p := b.pages[pos]
		if p.Rev != 0 {
			if err := b.changes.Delete(revKey(p.Rev)); err != nil {
				return err
			}
		}
		b.rev++
		p.Rev = b.rev
		if err := b.changes.Put(revKey(p.Rev), posKey(pos)); err != nil {
			return err
		}
		if err := b.numbers.Put(posKey(pos), changeValue(p.Change)); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) vote(v chat.Ballot) (*counts, error) {
	p := b.page(v.Message, v.Topic)
	if p == nil || p.Deleted {
		return nil, nil
	}
	key := voteKey(v.Message.Pos, v.Voter)
	was := readVote(b.votes.Get(key))
	if was == v.Vote {
		return p, nil
	}
	p.count(was, -1)
	p.count(v.Vote, +1)
	b.touch(p)
	if v.Vote == 0 {
		return p, b.votes.Delete(key)
	}
	return p, b.votes.Put(key, []byte{byte(v.Vote)})
}

func (p *counts) count(vote int8, by int64) {
	switch vote {
	case 1:
		p.Up += by
	case -1:
		p.Down += by
	}
}

// takesReply reports whether a message can be replied to.
func (b *book) takesReply(parent chat.ID, topic string) bool {
	p := b.page(parent, topic)
	return p != nil && !p.Deleted
}

// reply counts a reply to a message that takes it.
func (b *book) reply(parent chat.ID, topic string, at chat.Pos) error {
	p := b.page(parent, topic)
	p.Replies++
	b.touch(p)
	return b.replies.Put(slices.Concat(posKey(parent.Pos), posKey(at)), nil)
}

// Vote implements chat.Numbers.
func (s *Store) Vote(ctx context.Context, _ int, ballots []chat.Ballot) ([]chat.Change, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("vote: %w", err)
	}
	list := make([]chat.Change, len(ballots))
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := s.openBook(tx)
		pages := make([]*counts, len(ballots))
		for i, v := range ballots {
			var err error
			if pages[i], err = b.vote(v); err != nil {
				return err
			}
		}
		if err := b.close(); err != nil {
			return err
		}
		for i, p := range pages {
			list[i] = chat.Change{}
			if p != nil {
				list[i] = p.Change
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vote: %w", err)
	}
	s.changedNumbers()
	return list, nil
}

// Delete implements chat.Numbers.
func (s *Store) Delete(ctx context.Context, id chat.ID, topic string) (change chat.Change, err error) {
	if err := context.Cause(ctx); err != nil {
		return chat.Change{}, fmt.Errorf("delete: %w", err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b := s.openBook(tx)
		p := b.page(id, topic)
		if p == nil {
			change = chat.Change{}
			return nil
		}
		if !p.Deleted {
			p.Deleted = true
			b.touch(p)
		}
		err := b.close()
		change = p.Change
		return err
	})
	if err != nil {
		return chat.Change{}, fmt.Errorf("delete: %w", err)
	}
	s.changedNumbers()
	return change, nil
}

// changedNumbers wakes those who follow.
func (s *Store) changedNumbers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.counted)
	s.counted = make(chan struct{})
}

// Tallies implements chat.Numbers.
func (s *Store) Tallies(_ context.Context, _ int, at []chat.Pos, voter chat.Voter) ([]chat.Counted, error) {
	list := make([]chat.Counted, len(at))
	err := s.db.View(func(tx *bbolt.Tx) error {
		numbers, votes := tx.Bucket(bucketNumbers), tx.Bucket(bucketVotes)
		for i, pos := range at {
			list[i].ID.Pos = pos
			if v := numbers.Get(posKey(pos)); v != nil {
				list[i].Change = readChange(pos, v)
			}
			if voter != (chat.Voter{}) {
				list[i].Vote = readVote(votes.Get(voteKey(pos, voter)))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read numbers: %w", err)
	}
	return list, nil
}

// Replies implements chat.Numbers.
func (s *Store) Replies(_ context.Context, parent chat.ID, before chat.Pos, most int) (list []chat.Pos, err error) {
	prefix := posKey(parent.Pos)
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketReplies).Cursor()
		k, _ := seekBefore(c, slices.Concat(prefix, posKey(before)))
		for ; k != nil && bytes.HasPrefix(k, prefix) && len(list) < most; k, _ = c.Prev() {
			if at, ok := readPos(k[posSize:]); ok {
				list = append(list, at)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read replies: %w", err)
	}
	slices.Reverse(list)
	return list, nil
}

// Changed implements chat.Numbers.
func (s *Store) Changed(_ context.Context, _ int, after chat.Rev, most int) (list []chat.Change, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		numbers, c := tx.Bucket(bucketNumbers), tx.Bucket(bucketChanges).Cursor()
		for k, v := c.Seek(revKey(after + 1)); k != nil && len(list) < most; k, v = c.Next() {
			if n := numbers.Get(v); n != nil {
				at, _ := readPos(v)
				list = append(list, readChange(at, n))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what changed: %w", err)
	}
	return list, nil
}

// Follow implements chat.Numbers.
func (s *Store) Follow(ctx context.Context, part int, after chat.Rev, wait time.Duration) ([]chat.Change, chat.Rev, error) {
	const most = 1000
	if after == 0 {
		after = 1
		err := s.db.View(func(tx *bbolt.Tx) error {
			if k, _ := tx.Bucket(bucketChanges).Cursor().Last(); k != nil {
				after = chat.Rev(binary.BigEndian.Uint64(k))
			}
			return nil
		})
		if err != nil {
			return nil, 0, fmt.Errorf("follow changes: %w", err)
		}
		return nil, after, nil
	}
	var timeout <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		timeout = t.C
	}
	for {
		s.mu.Lock()
		counted := s.counted
		s.mu.Unlock()
		list, err := s.Changed(ctx, part, after, most)
		if err != nil {
			return nil, 0, err
		}
		if len(list) > 0 {
			return list, list[len(list)-1].Rev, nil
		}
		if wait <= 0 {
			return nil, after, nil
		}
		select {
		case <-counted:
		case <-timeout:
			return nil, after, nil
		case <-s.closing.Done():
			return nil, 0, errClosed
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("follow changes: %w", context.Cause(ctx))
		}
	}
}

// At implements chat.Numbers.
func (s *Store) At(_ context.Context, _ int, at []chat.Pos) (list []chat.Event, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		log := tx.Bucket(bucketLog)
		for _, pos := range at {
			key := posKey(pos)
			if v := log.Get(key); v != nil {
				list = append(list, readEvent(pos, v))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up messages: %w", err)
	}
	return list, nil
}

// Known implements chat.Numbers.
func (s *Store) Known(_ context.Context, _ int, key chat.KeyDigest) (id chat.ID, known bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketKeys).Get(key[:]); v != nil {
			id.Pos, known = readPos(v)
		}
		return nil
	})
	if err != nil {
		return chat.ID{}, false, fmt.Errorf("look up a key: %w", err)
	}
	return id, known, nil
}

// numbersUpTo reports whether there is something beside messages at or before
// floor.
func numbersUpTo(tx *bbolt.Tx, floor chat.Pos) bool {
	bound := posKey(floor.Next())
	for _, name := range [][]byte{bucketNumbers, bucketVotes, bucketReplies} {
		if k, _ := tx.Bucket(name).Cursor().First(); k != nil && bytes.Compare(k, bound) < 0 {
			return true
		}
	}
	return false
}

// forgetNumbers removes up to limit of each of what is beside messages that
// are at or before floor. It reports whether it stopped at the limit.
func forgetNumbers(tx *bbolt.Tx, floor chat.Pos, limit int) (more bool, err error) {
	if floor.IsZero() {
		return false, nil
	}
	bound := posKey(floor.Next())
	changes := tx.Bucket(bucketChanges)
	for _, name := range [][]byte{bucketNumbers, bucketVotes, bucketReplies} {
		bucket := tx.Bucket(name)
		c := bucket.Cursor()
		for n := 0; ; n++ {
			k, v := c.First()
			if k == nil || bytes.Compare(k, bound) >= 0 {
				break
			}
			if n == limit {
				more = true
				break
			}
			if bytes.Equal(name, bucketNumbers) {
				if err := changes.Delete(v[:min(8, len(v))]); err != nil {
					return false, err
				}
			}
			if err := c.Delete(); err != nil {
				return false, err
			}
		}
	}
	return more, nil
}

func revKey(r chat.Rev) []byte { return binary.BigEndian.AppendUint64(nil, uint64(r)) }

func voteKey(p chat.Pos, v chat.Voter) []byte { return append(posKey(p), v[:]...) }

func readVote(v []byte) int8 {
	if len(v) != 1 {
		return 0
	}
	return int8(v[0])
}

const changeSize = 4*8 + 1

func changeValue(c chat.Change) []byte {
	b := make([]byte, 0, changeSize+len(c.Topic))
	for _, n := range [...]uint64{uint64(c.Rev), uint64(c.Up), uint64(c.Down), uint64(c.Replies)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	if c.Deleted {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return append(b, c.Topic...)
}

func readChange(at chat.Pos, v []byte) chat.Change {
	c := chat.Change{ID: chat.ID{Pos: at}}
	if len(v) < changeSize {
		return c // damaged: as if it had none
	}
	c.Rev = chat.Rev(binary.BigEndian.Uint64(v))
	c.Up = int64(binary.BigEndian.Uint64(v[8:]))
	c.Down = int64(binary.BigEndian.Uint64(v[16:]))
	c.Replies = int64(binary.BigEndian.Uint64(v[24:]))
	c.Deleted = v[32] == 1
	c.Topic = string(v[changeSize:])
	return c
}
