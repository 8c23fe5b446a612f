package localstore

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"

	"chatapp/chat/internal/chat"
)

// wants reports whether retention keeps the oldest event, of this size, of
// count with total bytes. What it keeps is the last so many events or bytes:
// one that crosses a limit stays.
func (s *Store) wants(at chat.Pos, size int, count, total int64, now time.Time) bool {
	r := s.retention
	return (r.Messages == 0 || count <= r.Messages) && (r.Bytes == 0 || total-int64(size) < r.Bytes) &&
		(r.Age == 0 || int64(at.Ms) >= now.Add(-r.Age).UnixMilli())
}

// due reports whether trim has something to do. It does not write, so an idle
// log costs no fsync.
func (s *Store) due(tx *bbolt.Tx) bool {
	now := s.now()
	if k, _ := tx.Bucket(bucketAges).Cursor().First(); k != nil && forgettable(k, now) {
		return true
	}
	meta := tx.Bucket(bucketMeta)
	if floor, ok := readPos(meta.Get(metaFloor)); ok && numbersUpTo(tx, floor) {
		return true
	}
	k, v := tx.Bucket(bucketLog).Cursor().First()
	if k == nil {
		return false
	}
	at, ok := readPos(k)
	return !ok || !s.wants(at, sizeOf(v), readCount(meta.Get(metaCount)), readCount(meta.Get(metaBytes)), now)
}

// trim removes up to limit events that retention no longer wants, and as many
// keys that are past their memory. It gives the new floor (zero: unchanged) and
// whether it stopped at the limit.
func (s *Store) trim(tx *bbolt.Tx, limit int) (floor chat.Pos, more bool, err error) {
	meta, log := tx.Bucket(bucketMeta), tx.Bucket(bucketLog)
	count, total := readCount(meta.Get(metaCount)), readCount(meta.Get(metaBytes))
	now := s.now()

	removed := 0
	for c := log.Cursor(); removed < limit; removed++ {
		k, v := c.First()
		if k == nil {
			break
		}
		at, ok := readPos(k)
		size := sizeOf(v)
		if ok && s.wants(at, size, count, total, now) {
			break
		}
		if ok {
			floor = at
			if err := forgetPlace(tx, readEvent(at, v)); err != nil {
				return floor, false, err
			}
		}
		// A damaged event may have lost its size: the sums stay sums.
		count, total = max(0, count-1), max(0, total-int64(size))
		if err := c.Delete(); err != nil {
			return floor, false, err
		}
	}
	if removed > 0 {
		if k, _ := log.Cursor().First(); k == nil {
			count, total = 0, 0
		}
		for _, put := range []struct{ key, value []byte }{
			{metaCount, countValue(count)}, {metaBytes, countValue(total)}, {metaFloor, posKey(floor)},
		} {
			if bytes.Equal(put.key, metaFloor) && floor.IsZero() {
				continue
			}
			if err := meta.Put(put.key, put.value); err != nil {
				return floor, false, err
			}
		}
	}
	forgotten, err := forgetKeys(tx, now, limit)
	if err != nil {
		return floor, false, err
	}
	cut := floor
	if cut.IsZero() {
		cut, _ = readPos(meta.Get(metaFloor))
	}
	beside, err := forgetNumbers(tx, cut, limit)
	return floor, beside || removed == limit || forgotten == limit, err
}

// forgetPlace removes what the other buckets say of an event that is removed.
// If the event is damaged, its topic may be wrong, so every topic is looked at.
func forgetPlace(tx *bbolt.Tx, e chat.Event) error {
	topics, places, at := tx.Bucket(bucketTopics), tx.Bucket(bucketPlaces), e.ID.Pos
	names := []string{e.Draft.Topic}
	if e.Kind == chat.KindDamaged {
		names = nil
		err := topics.ForEach(func(k, _ []byte) error { names = append(names, string(k)); return nil })
		if err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := places.Delete(placeKey(name, at)); err != nil {
			return err
		}
		v := topics.Get([]byte(name))
		last, count, ok := readTopic(v)
		var err error
		switch {
		case v == nil:
		case !ok || last.Compare(at) <= 0:
			err = topics.Delete([]byte(name))
		case e.Kind.IsMessage() && count > 0:
			err = topics.Put([]byte(name), topicValue(last, count-1))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forgettable reports whether a key of the bucket ages is older than
// chat.KeyMemory.
func forgettable(k []byte, now time.Time) bool {
	at, ok := readPos(k)
	return !ok || int64(at.Ms) < now.Add(-chat.KeyMemory).UnixMilli()
}

// forgetKeys removes up to limit keys that are past their memory.
func forgetKeys(tx *bbolt.Tx, now time.Time, limit int) (n int, err error) {
	keys, c := tx.Bucket(bucketKeys), tx.Bucket(bucketAges).Cursor()
	for ; n < limit; n++ {
		k, v := c.First()
		if k == nil || !forgettable(k, now) {
			break
		}
		if err := keys.Delete(v); err != nil {
			return n, err
		}
		if err := c.Delete(); err != nil {
			return n, err
		}
	}
	return n, nil
}
