package localstore

import (
	"context"
	"fmt"
	"math"
	"time"

	"go.etcd.io/bbolt"

	"chatapp/chat/internal/chat"
)

// Append implements chat.Store: one transaction, two fdatasyncs, however many
// the drafts. A context that has ended is noticed before it begins only; the
// disk sets the pace after that.
func (s *Store) Append(ctx context.Context, _ int, drafts []chat.Draft) ([]chat.Appended, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	var (
		results     []chat.Appended
		head, floor chat.Pos
	)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		var err error
		if results, head, err = s.write(tx, drafts); err != nil {
			return err
		}
		// Twice what comes in goes out, so that a lowered limit is reached too.
		floor, _, err = s.trim(tx, 2*len(drafts))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	s.advance(head, floor)
	return results, nil
}

func (s *Store) write(tx *bbolt.Tx, drafts []chat.Draft) ([]chat.Appended, chat.Pos, error) {
	var (
		meta, log, topics = tx.Bucket(bucketMeta), tx.Bucket(bucketLog), tx.Bucket(bucketTopics)
		places            = tx.Bucket(bucketPlaces)
		keys, ages        = tx.Bucket(bucketKeys), tx.Bucket(bucketAges)

		results = make([]chat.Appended, len(drafts))
		head    chat.Pos
		pos     = s.nextBatch(meta)
		count   = readCount(meta.Get(metaCount))
		bytes   = readCount(meta.Get(metaBytes))
	)
	for i, d := range drafts {
		if v := keys.Get([]byte(d.Key)); v != nil {
			results[i] = chat.Appended{ID: chat.ID{Pos: readPos(v)}, Duplicate: true}
			continue
		}
		results[i] = chat.Appended{ID: chat.ID{Pos: pos}}
		at := posKey(pos)
		var messages uint64
		if v := topics.Get([]byte(d.Topic)); v != nil {
			_, messages = readTopic(v)
		}
		for _, put := range []struct {
			bucket     *bbolt.Bucket
			key, value []byte
		}{
			{log, at, chat.AppendRecord(append([]byte(d.Topic), 0), d)},
			{topics, []byte(d.Topic), topicValue(pos, messages+1)},
			{places, placeKey(d.Topic, pos), nil},
			{keys, []byte(d.Key), at},
			{ages, at, []byte(d.Key)},
		} {
			if err := put.bucket.Put(put.key, put.value); err != nil {
				return nil, head, err
			}
		}
		head = pos
		count++
		bytes += int64(d.Size())
		pos.Idx++ // at most chat.MaxBatch drafts, so it does not overflow before the last
	}
	if head.IsZero() { // all were repeats
		return results, head, nil
	}
	for key, value := range map[string][]byte{
		string(metaHead): posKey(head), string(metaCount): countValue(count), string(metaBytes): countValue(bytes),
	} {
		if err := meta.Put([]byte(key), value); err != nil {
			return nil, head, err
		}
	}
	return results, head, nil
}

// nextBatch is the position of the next batch's first message: now by the
// clock, but never at or before the last batch, even if the clock was set back.
func (s *Store) nextBatch(meta *bbolt.Bucket) chat.Pos {
	var last chat.Pos
	if v := meta.Get(metaHead); v != nil {
		last = readPos(v)
	}
	now := uint64(max(1, s.now().UnixMilli()))
	switch {
	case now > last.Ms:
		return chat.Pos{Ms: now}
	case last.Seq < math.MaxUint32:
		return chat.Pos{Ms: last.Ms, Seq: last.Seq + 1}
	default:
		return chat.Pos{Ms: last.Ms + 1}
	}
}

// wants reports whether retention keeps the oldest message of count with
// bytes. What it keeps is the last so many messages or bytes: one that crosses
// a limit stays.
func (s *Store) wants(m chat.Message, count, bytes int64, now time.Time) bool {
	r := s.retention
	return (r.Messages == 0 || count <= r.Messages) && (r.Bytes == 0 || bytes-int64(m.Size()) < r.Bytes) &&
		(r.Age == 0 || int64(m.ID.Ms) >= now.Add(-r.Age).UnixMilli())
}

// due reports whether trim has something to do. It does not write, so an idle
// log costs no fsync.
func (s *Store) due(tx *bbolt.Tx) (bool, error) {
	now := s.now()
	if k, _ := tx.Bucket(bucketAges).Cursor().First(); k != nil && int64(readPos(k).Ms) < now.Add(-chat.KeyMemory).UnixMilli() {
		return true, nil
	}
	k, v := tx.Bucket(bucketLog).Cursor().First()
	if k == nil {
		return false, nil
	}
	m, err := readMessage(k, v)
	if err != nil {
		return false, err
	}
	meta := tx.Bucket(bucketMeta)
	return !s.wants(m, readCount(meta.Get(metaCount)), readCount(meta.Get(metaBytes)), now), nil
}

// trim removes up to limit messages that retention no longer wants, and as
// many keys that are past their memory. It gives the new floor (zero: as it
// was) and whether it stopped at the limit.
func (s *Store) trim(tx *bbolt.Tx, limit int) (floor chat.Pos, more bool, err error) {
	meta, log, topics := tx.Bucket(bucketMeta), tx.Bucket(bucketLog), tx.Bucket(bucketTopics)
	places := tx.Bucket(bucketPlaces)
	count, bytes := readCount(meta.Get(metaCount)), readCount(meta.Get(metaBytes))
	now := s.now()

	removed := 0
	for c := log.Cursor(); removed < limit; removed++ {
		k, v := c.First()
		if k == nil {
			break
		}
		m, err := readMessage(k, v)
		if err != nil {
			return floor, false, err
		}
		if s.wants(m, count, bytes, now) {
			break
		}
		floor = m.ID.Pos
		count--
		bytes -= int64(m.Size())
		if err := places.Delete(placeKey(m.Topic, floor)); err != nil {
			return floor, false, err
		}
		if last, _ := readTopic(topics.Get([]byte(m.Topic))); last == floor {
			if err := topics.Delete([]byte(m.Topic)); err != nil {
				return floor, false, err
			}
		}
		if err := c.Delete(); err != nil {
			return floor, false, err
		}
	}
	if removed > 0 {
		for key, value := range map[string][]byte{
			string(metaFloor): posKey(floor), string(metaCount): countValue(count), string(metaBytes): countValue(bytes),
		} {
			if err := meta.Put([]byte(key), value); err != nil {
				return floor, false, err
			}
		}
	}
	forgotten, err := forgetKeys(tx, now.Add(-chat.KeyMemory).UnixMilli(), limit)
	return floor, removed == limit || forgotten == limit, err
}

// forgetKeys removes up to limit keys of messages from before a time in
// milliseconds since the epoch.
func forgetKeys(tx *bbolt.Tx, before int64, limit int) (n int, err error) {
	keys, c := tx.Bucket(bucketKeys), tx.Bucket(bucketAges).Cursor()
	for ; n < limit; n++ {
		k, v := c.First()
		if k == nil || int64(readPos(k).Ms) >= before {
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
