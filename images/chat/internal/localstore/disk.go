package localstore

import (
	"errors"
	"syscall"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"chatapp/chat/internal/trouble"
)

// diskFailure is an error of the disk whose cause is known.
type diskFailure struct {
	error
	cause trouble.Cause
}

func (f *diskFailure) Unwrap() error { return f.error }

// Reason says what the log does, in words for anybody.
func (f *diskFailure) Reason() string { return f.cause.Reason }

// posting is the place of writes in the book of trouble.
const posting = "the log"

// wrote notes how a write to the file ended, and gives its error with the
// cause.
func (s *Store) wrote(err error) error {
	if err == nil {
		s.trouble.Works(posting, trouble.Writes)
		return nil
	}
	cause := trouble.Cause{Code: "IO", Reason: "cannot write to its disk"}
	switch {
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return err // closed
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		cause = trouble.Cause{Code: "DISKFULL", Reason: "has no room left on its disk"}
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		cause = trouble.Cause{Code: "READONLY", Reason: "is on a disk that takes no writes"}
	}
	s.trouble.Failed(posting, trouble.Writes, cause, err)
	return &diskFailure{err, cause}
}

// Trouble says, a sentence each, what the log does not do at the moment.
func (s *Store) Trouble() []string { return s.trouble.Sentences() }

// probe finds out whether a file that has refused writes takes them again.
// Without it, that would show only when somebody posts.
func (s *Store) probe() {
	if !s.trouble.In(posting, trouble.Writes) {
		return
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		return meta.Put(metaEpoch, append([]byte(nil), meta.Get(metaEpoch)...))
	})
	if err == nil {
		s.trouble.Works(posting, trouble.Writes)
	}
}
