package localstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockPoll is how often Check asks for the lock again.
const lockPoll = 20 * time.Millisecond

// DamageError says that the log's file can't be used as it is. The file was
// only read.
type DamageError struct {
	Path string
	What string // what is wrong, as the end of a sentence that begins with the path
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged: %s; look at it with 'chat log check', then put a backup in its place, "+
		"or move it away to begin with an empty log", e.Path, e.What)
}

// Report is what Check found in a file that can be used.
type Report struct {
	Pages   uint64 // in use or free
	Entries int    // keys over all buckets
	// OneMeta: one of the two meta pages can't be read. The file is whole as
	// of the other one, but the last append may be lost.
	OneMeta bool
}

// Check reads the whole log file at path without changing it. It returns a
// *DamageError if opening it would fail or crash, fs.ErrNotExist if there is
// none, and an error that says so if another process has it open all through wait.
func Check(path string, wait time.Duration) (Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("check the log: %w", err)
	}
	defer f.Close()
	// While another process writes, what is read here may be of different
	// moments.
	for end := time.Now().Add(wait); ; time.Sleep(lockPoll) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		if err == nil {
			break // closing the file lets go of it
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return Report{}, fmt.Errorf("lock %s: %w", path, err)
		}
		if time.Now().After(end) {
			return Report{}, inUse(path)
		}
	}
	info, err := f.Stat()
	if err != nil {
		return Report{}, fmt.Errorf("check the log: %w", err)
	}
	if info.Size() == 0 {
		return Report{}, &DamageError{Path: path, What: "it is empty, but a log was there"}
	}
	var r Report
	p := pages{file: f, size: info.Size(), entry: func(buckets [][]byte, key, value []byte) error {
		r.Entries++
		return checkEntry(buckets, key, value)
	}}
	if err := p.walk(); err != nil {
		return Report{}, &DamageError{Path: path, What: err.Error()}
	}
	r.Pages, r.OneMeta = p.end, p.oneMeta
	return r, nil
}

var errEntry = errors.New("an entry has the wrong size")

// checkEntry holds keys and values to the sizes that the code relies on. The
// records of messages are not looked at: readers step over those that they
// can't read.
func checkEntry(buckets [][]byte, key, value []byte) error {
	if len(buckets) != 1 {
		return nil
	}
	ok := true
	switch name := buckets[0]; {
	case bytes.Equal(name, bucketMeta):
		switch {
		case bytes.Equal(key, metaHead), bytes.Equal(key, metaFloor):
			ok = len(value) == posSize
		case bytes.Equal(key, metaEpoch), bytes.Equal(key, metaCount), bytes.Equal(key, metaBytes):
			ok = len(value) == 8
		}
	case bytes.Equal(name, bucketLog), bytes.Equal(name, bucketAges):
		ok = len(key) == posSize
	case bytes.Equal(name, bucketKeys):
		ok = len(value) == posSize
	case bytes.Equal(name, bucketTopics):
		ok = len(value) >= posSize+8 // a later version may add to it
	case bytes.Equal(name, bucketPlaces):
		ok = len(key) > posSize && key[len(key)-posSize-1] == 0
	}
	if !ok {
		return errEntry
	}
	return nil
}

func inUse(path string) error {
	return fmt.Errorf("%s is in use by another process: stop that one, or give this one another data folder", path)
}
