// Package localstore is the log in one file of this machine: nothing to start,
// one process at a time. It is a bbolt database, so an append is a transaction
// that has been fsynced when it returns, whatever happens to the process.
package localstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/trouble"
)

// Options of Open.
type Options struct {
	Dir       string // made if it is not there; holds the file FileName
	Retention chat.Retention
	Logger    *slog.Logger     // for what the housekeeping cannot return
	Now       func() time.Time // the log's clock; nil: time.Now

	// Failed is told the access and the cause of each write that fails. It must
	// not block. Nil: nobody is told.
	Failed func(access trouble.Access, cause string)
}

// FileName is the log's file within its folder.
const FileName = "chat.db"

// housekeeping is how often retention by age is looked after when nobody
// posts; posts look after it themselves.
const housekeeping = 5 * time.Second

// Store is a chat.Log with one partition, in a file, and a chat.Presence.
type Store struct {
	db        *bbolt.DB
	retention chat.Retention
	logger    *slog.Logger
	now       func() time.Time

	mu       sync.Mutex
	state    chat.State
	appended chan struct{} // closed, and replaced, by each append
	counted  chan struct{} // the same, by each change of numbers
	ears     ears
	presence crowd

	directory *Directory

	trouble *trouble.Book

	closing context.Context // ends with Close
	stop    context.CancelFunc
	done    sync.WaitGroup
}

var (
	_ chat.Log      = (*Store)(nil)
	_ chat.Presence = (*Store)(nil)
)

// Open opens or makes the log in a folder. A file that another process has
// open is refused after lockWait with an error that says so.
func Open(o Options) (*Store, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	path := filepath.Join(o.Dir, FileName)
	found, err := prepareFile(path)
	if err != nil {
		return nil, err
	}
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: db, retention: o.Retention, logger: o.Logger, now: o.Now,
		appended: make(chan struct{}), counted: make(chan struct{}), presence: crowd{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.trouble = trouble.New("disk", s.logger, o.Failed)
	s.directory = newDirectory(db, s.now)
	if found.OneMeta {
		s.logger.Warn("a part of the log's file can't be read; the last append may be lost, and clients are told so", "file", path)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return s.prepare(tx, found.OneMeta) }); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
	}
	s.closing, s.stop = context.WithCancel(context.Background())
	s.done.Go(func() { s.keepHouse(s.closing) })
	return s, nil
}

// prepare makes the buckets and reads where the log stands. A log that may
// have lost its tail gets a new epoch.
func (s *Store) prepare(tx *bbolt.Tx, lost bool) error {
	for _, name := range slices.Concat(allBuckets, peopleBuckets) {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	epoch := meta.Get(metaEpoch)
	if epoch == nil || lost {
		epoch = make([]byte, 8)
		rand.Read(epoch) // never fails: crypto/rand
		if err := meta.Put(metaEpoch, epoch); err != nil {
			return err
		}
	}
	s.state = chat.State{Epoch: binary.BigEndian.Uint64(epoch)}
	s.state.Head, _ = readPos(meta.Get(metaHead))
	s.state.Floor, _ = readPos(meta.Get(metaFloor))
	return nil
}

// keepHouse removes what is too old until ctx ends; once at the start, in
// case the limits were lowered.
func (s *Store) keepHouse(ctx context.Context) {
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	for {
		s.probe()
		s.repeat(ctx, "cannot remove old messages", s.tidy)
		s.repeat(ctx, "cannot forget old tokens and keys", s.directory.tidy)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// repeat does something until there is no more of it, it fails, or ctx ends.
func (s *Store) repeat(ctx context.Context, failed string, do func() (more bool, err error)) {
	for ctx.Err() == nil {
		more, err := do()
		if err != nil {
			s.logger.Error(failed, "error", err)
		}
		if err != nil || !more {
			return
		}
	}
}

// tidy removes a stretch of what is too old and reports whether there may be more.
func (s *Store) tidy() (more bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		more = s.due(tx)
		return nil
	})
	if err != nil || !more {
		return false, err
	}
	var floor chat.Pos
	err = s.db.Update(func(tx *bbolt.Tx) error {
		floor, more, err = s.trim(tx, chat.RetentionStep)
		return err
	})
	if err == nil {
		s.advance(chat.Pos{}, floor)
	}
	return more, err
}

// advance moves the known head and floor forward and wakes the readers.
func (s *Store) advance(head, floor chat.Pos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if floor.Compare(s.state.Floor) > 0 {
		s.state.Floor = floor
	}
	if head.Compare(s.state.Head) > 0 {
		s.state.Head = head
		close(s.appended)
		s.appended = make(chan struct{})
	}
}

// Close ends the housekeeping and the waiting reads, and closes the file.
func (s *Store) Close() error {
	s.stop()
	s.done.Wait()
	defer s.trouble.Close()
	return s.db.Close()
}

// Partitions is 1: one file has one order.
func (s *Store) Partitions() int { return 1 }

// State implements chat.Log.
func (s *Store) State(context.Context, int) (chat.State, error) {
	// The floor is read from the file: readers of the file see what retention
	// has removed a moment before advance is called.
	var floor chat.Pos
	err := s.db.View(func(tx *bbolt.Tx) error {
		floor, _ = readPos(tx.Bucket(bucketMeta).Get(metaFloor))
		return nil
	})
	if err != nil {
		return chat.State{}, fmt.Errorf("read state: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	if floor.Compare(state.Floor) > 0 {
		state.Floor = floor
	}
	return state, nil
}

// Directory gives the directory in this file, always the same one. It lives as
// long as the store.
func (s *Store) Directory() *Directory { return s.directory }
