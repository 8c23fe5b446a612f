package localstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"chatapp/chat/internal/chat"
)

var errClosed = errors.New("the log was closed")

// Read implements chat.Log.
func (s *Store) Read(ctx context.Context, _ int, after chat.Pos, max int, wait time.Duration) (chat.Batch, error) {
	var timeout <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		timeout = t.C
	}
	for {
		s.mu.Lock()
		head, appended := s.state.Head, s.appended
		s.mu.Unlock()
		if head.Compare(after) > 0 {
			return s.readAfter(after, head, max)
		}
		none := chat.Batch{After: after, Through: after}
		if wait <= 0 {
			return none, nil
		}
		select {
		case <-appended:
		case <-timeout:
			return none, nil
		case <-s.closing.Done():
			return none, errClosed
		case <-ctx.Done():
			return none, fmt.Errorf("read: %w", context.Cause(ctx))
		}
	}
}

func (s *Store) readAfter(after, head chat.Pos, max int) (chat.Batch, error) {
	batch := chat.Batch{After: after, Through: after}
	err := s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketLog).Cursor()
		for k, v := c.Seek(posKey(after.Next())); k != nil && len(batch.Events) < max; k, v = c.Next() {
			if at, ok := readPos(k); ok {
				batch.Events = append(batch.Events, readEvent(at, v))
				batch.Through = at
			}
		}
		floor, _ := readPos(tx.Bucket(bucketMeta).Get(metaFloor))
		batch.Gap = after.Compare(floor) < 0
		return nil
	})
	if err != nil {
		return chat.Batch{}, fmt.Errorf("read: %w", err)
	}
	if len(batch.Events) == 0 { // removed by retention; there is nothing to come back for
		batch.Through = head
	}
	return batch, nil
}

// Before implements chat.Log.
func (s *Store) Before(_ context.Context, _ int, topic string, before chat.Pos, max int) (found []chat.Event, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		log := tx.Bucket(bucketLog)
		c, prefix := log.Cursor(), []byte(nil)
		if topic != "" {
			c, prefix = tx.Bucket(bucketPlaces).Cursor(), append([]byte(topic), 0)
		}
		k, v := seekBefore(c, append(slices.Clone(prefix), posKey(before)...))
		for ; k != nil && bytes.HasPrefix(k, prefix) && len(found) < max; k, v = c.Prev() {
			at, ok := readPos(k[len(prefix):])
			if !ok {
				continue
			}
			if topic != "" {
				if v = log.Get(k[len(prefix):]); topicOf(v) != topic {
					continue // damaged, and not known to be of this topic
				}
			}
			found = append(found, readEvent(at, v))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	slices.Reverse(found)
	return found, nil
}

// seekBefore moves c to the last key before bound.
func seekBefore(c *bbolt.Cursor, bound []byte) (k, v []byte) {
	if k, _ := c.Seek(bound); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// Topics implements chat.Log.
func (s *Store) Topics(context.Context, int) (found []chat.TopicInfo, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketTopics).ForEach(func(k, v []byte) error {
			if last, count, ok := readTopic(v); ok {
				found = append(found, chat.TopicInfo{Topic: string(k), Messages: int64(count), Last: chat.ID{Pos: last}})
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	return found, nil
}

// Last implements chat.Log.
func (s *Store) Last(_ context.Context, _ int, topics []string) ([]chat.Pos, error) {
	last := make([]chat.Pos, len(topics))
	err := s.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketTopics)
		for i, topic := range topics {
			last[i], _, _ = readTopic(bucket.Get([]byte(topic)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look topics up: %w", err)
	}
	return last, nil
}
