package localstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for another process to let go of the
// file: a restart may overlap the old process's last moments.
const lockWait = 2 * time.Second

// openFile opens the bbolt file at path, or makes it.
func openFile(path string) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockWait,
		FreelistType: bbolt.FreelistMapType, // array lists slow down with size
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, inUse(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// prepareFile makes sure that a log file is there that bbolt can open. One that
// exists is checked. A new one is made under another name and then linked to
// its own, so an empty file under that name is always a log that was lost.
func prepareFile(path string) (Report, error) {
	r, err := Check(path, lockWait)
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Report{}, fmt.Errorf("make a log: %w", err)
	}
	db, err := openFile(fresh)
	if err != nil {
		return Report{}, err
	}
	if err := db.Close(); err != nil {
		return Report{}, fmt.Errorf("make a log: %w", err)
	}
	if err := os.Link(fresh, path); err != nil && !errors.Is(err, fs.ErrExist) { // it exists: another process was quicker
		return Report{}, fmt.Errorf("make a log: %w", err)
	}
	if err := os.Remove(fresh); err != nil {
		return Report{}, fmt.Errorf("make a log: %w", err)
	}
	return Report{}, syncDir(path)
}

// syncDir makes a new name in a file's folder last through a power cut.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("sync the data folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync the data folder: %w", err)
	}
	return nil
}
