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

// Read implements chat.Store.
func (s *Store) Read(ctx context.Context, _ int, after chat.Pos, max int, wait time.Duration) ([]chat.Message, error) {
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
			return s.readAfter(after, max)
		}
		if wait <= 0 {
			return nil, nil
		}
		select {
		case <-appended:
		case <-timeout:
			return nil, nil
		case <-s.closing.Done():
			return nil, errClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("read: %w", context.Cause(ctx))
		}
	}
}

func (s *Store) readAfter(after chat.Pos, max int) (found []chat.Message, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketLog).Cursor()
		for k, v := c.Seek(posKey(after.Next())); k != nil && len(found) < max; k, v = c.Next() {
			m, err := readMessage(k, v)
			if err != nil {
				return err
			}
			found = append(found, m)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return found, nil
}

// Before implements chat.Store.
func (s *Store) Before(_ context.Context, _ int, topic string, before chat.Pos, max int) (found []chat.Message, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		log := tx.Bucket(bucketLog)
		c, prefix := log.Cursor(), []byte(nil)
		if topic != "" {
			c, prefix = tx.Bucket(bucketPlaces).Cursor(), append([]byte(topic), 0)
		}
		k, v := seekBefore(c, append(slices.Clone(prefix), posKey(before)...))
		for ; k != nil && bytes.HasPrefix(k, prefix) && len(found) < max; k, v = c.Prev() {
			at := k[len(prefix):]
			if topic != "" {
				v = log.Get(at)
			}
			m, err := readMessage(at, v)
			if err != nil {
				return err
			}
			found = append(found, m)
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

// Topics implements chat.Store.
func (s *Store) Topics(context.Context, int) (found []chat.TopicInfo, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketTopics).ForEach(func(k, v []byte) error {
			last, messages := readTopic(v)
			found = append(found, chat.TopicInfo{Topic: string(k), Messages: int64(messages), Last: chat.ID{Pos: last}})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	return found, nil
}

// readMessage copies a message out of the database's memory.
func readMessage(key, value []byte) (chat.Message, error) {
	topic, record, ok := bytes.Cut(value, []byte{0})
	if !ok || len(key) != posSize {
		return chat.Message{}, fmt.Errorf("message at %x is damaged", key)
	}
	d, err := chat.ParseRecord(string(topic), string(record))
	if err != nil {
		return chat.Message{}, fmt.Errorf("message at %x: %w", key, err)
	}
	return chat.Message{ID: chat.ID{Pos: readPos(key)}, Draft: d}, nil
}
