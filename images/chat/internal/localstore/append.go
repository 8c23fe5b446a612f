package localstore

import (
	"context"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"chatapp/chat/internal/chat"
)

// Append implements chat.Log: one transaction, two fdatasyncs, however many the
// events. It looks at ctx only before the transaction begins, which then takes
// as long as the disk does.
func (s *Store) Append(ctx context.Context, _ int, events []chat.Event) ([]chat.Appended, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	var (
		results     []chat.Appended
		head, floor chat.Pos
	)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		var err error
		if results, head, err = s.write(tx, events); err != nil {
			return err
		}
		// Twice as much is removed as comes in, so that a lowered limit is
		// reached, too.
		floor, _, err = s.trim(tx, 2*len(events))
		return err
	})
	if err := s.wrote(err); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	s.advance(head, floor)
	if slices.ContainsFunc(events, func(e chat.Event) bool { return e.Draft.ReplyTo != (chat.ID{}) }) {
		s.changedNumbers()
	}
	return results, nil
}

func (s *Store) write(tx *bbolt.Tx, events []chat.Event) ([]chat.Appended, chat.Pos, error) {
	var (
		meta, log, places = tx.Bucket(bucketMeta), tx.Bucket(bucketLog), tx.Bucket(bucketPlaces)
		keys, ages        = tx.Bucket(bucketKeys), tx.Bucket(bucketAges)

		results = make([]chat.Appended, len(events))
		head    chat.Pos
		pos     = s.nextBatch(meta)
		total   = readCount(meta.Get(metaCount))
		bytes   = readCount(meta.Get(metaBytes))
		numbers *book // opened by the first reply
		topics  = topicSums{bucket: tx.Bucket(bucketTopics)}
	)
	// They grow at their ends alone, so no room is kept in the pages before.
	log.FillPercent, ages.FillPercent = 1, 1
	for i, e := range events {
		digest, topic := e.Draft.KeyDigest(), e.Draft.Topic
		if v := keys.Get(digest[:]); v != nil {
			first, _ := readPos(v)
			results[i] = chat.Appended{ID: chat.ID{Pos: first}, Duplicate: true}
			continue
		}
		if parent := e.Draft.ReplyTo; parent != (chat.ID{}) {
			if numbers == nil {
				numbers = s.openBook(tx)
			}
			if !numbers.takesReply(parent, topic) {
				results[i] = chat.Appended{Refused: true}
				continue
			}
			if err := numbers.reply(parent, topic, pos); err != nil {
				return nil, head, err
			}
		}
		results[i] = chat.Appended{ID: chat.ID{Pos: pos}}
		at := posKey(pos)
		value := append(append(make([]byte, 0, e.Size()+recordRoom), topic...), 0)
		topics.add(topic, pos, e.Kind.IsMessage())
		for _, put := range []struct {
			bucket     *bbolt.Bucket
			key, value []byte
		}{
			{log, at, e.AppendRecord(value)},
			{places, placeKey(topic, pos), nil},
			{keys, digest[:], at},
			{ages, at, digest[:]},
		} {
			if err := put.bucket.Put(put.key, put.value); err != nil {
				return nil, head, err
			}
		}
		head = pos
		total++
		bytes += int64(e.Size())
		pos.Idx++ // at most chat.MaxBatch events, so it does not overflow before the last
	}
	if head.IsZero() { // all were repeats, or refused
		return results, head, nil
	}
	if err := topics.write(); err != nil {
		return nil, head, err
	}
	if numbers != nil {
		if err := numbers.close(); err != nil {
			return nil, head, err
		}
	}
	for key, value := range map[string][]byte{
		string(metaHead): posKey(head), string(metaCount): countValue(total), string(metaBytes): countValue(bytes),
	} {
		if err := meta.Put([]byte(key), value); err != nil {
			return nil, head, err
		}
	}
	return results, head, nil
}

// topicSums gathers what a batch changes in the bucket topics, so that each
// topic is written once.
type topicSums struct {
	bucket *bbolt.Bucket
	sums   []topicSum
	last   int // index of the sum that was changed last: a batch often has one topic
}

type topicSum struct {
	topic string
	last  chat.Pos
	count uint64
}

// add counts an event of a topic.
func (t *topicSums) add(topic string, at chat.Pos, message bool) {
	if t.last >= len(t.sums) || t.sums[t.last].topic != topic {
		t.last = slices.IndexFunc(t.sums, func(s topicSum) bool { return s.topic == topic })
	}
	if t.last < 0 {
		_, count, _ := readTopic(t.bucket.Get([]byte(topic)))
		t.last = len(t.sums)
		t.sums = append(t.sums, topicSum{topic: topic, count: count})
	}
	sum := &t.sums[t.last]
	sum.last = at
	if message {
		sum.count++
	}
}

func (t *topicSums) write() error {
	for _, sum := range t.sums {
		if err := t.bucket.Put([]byte(sum.topic), topicValue(sum.last, sum.count)); err != nil {
			return err
		}
	}
	return nil
}

// recordRoom is what the value of an event takes beside the event's Size, at
// the most: the NUL, the kind, and two bytes for the length of each field.
const recordRoom = 16

// nextBatch is the position of the next batch's first message: now by the
// clock, but never at or before the last batch, even if the clock was set back.
func (s *Store) nextBatch(meta *bbolt.Bucket) chat.Pos {
	last, _ := readPos(meta.Get(metaHead))
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
