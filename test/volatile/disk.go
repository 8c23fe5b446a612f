package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// disk keeps two folders: now and synced. Its mutex orders syncs, changes of
// names and power cuts; reads and writes need it not.
type disk struct {
	mu          sync.Mutex
	now, synced string
}

// newDisk makes the two folders of a disk in folder. What synced holds already
// is what the disk begins with.
func newDisk(folder string) (*disk, error) {
	d := &disk{now: filepath.Join(folder, "now"), synced: filepath.Join(folder, "synced")}
	if err := os.MkdirAll(d.synced, 0o755); err != nil {
		return nil, err
	}
	return d, d.cutPower()
}

// cutPower makes now what synced is.
func (d *disk) cutPower() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	// The folder itself stays: it is the root of what is mounted.
	if err := os.MkdirAll(d.now, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.now)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(d.now, entry.Name())); err != nil {
			return err
		}
	}
	return os.CopyFS(d.now, os.DirFS(d.synced))
}

// sync makes a file's data durable; path is relative to the disk.
func (d *disk) sync(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	from, err := os.Open(filepath.Join(d.now, path))
	if err != nil {
		return err
	}
	defer from.Close()
	target := filepath.Join(d.synced, path)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	to, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer to.Close()
	// Files grow at their end, so only what is beyond the last sync is new;
	// one that has become shorter is copied whole.
	size, err := to.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if info.Size() < size {
		if err := to.Truncate(0); err != nil {
			return err
		}
		size = 0
	}
	if _, err := to.Seek(size, io.SeekStart); err != nil {
		return err
	}
	if _, err := from.Seek(size, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return err
}

// name repeats a change of names on the synced side. A name that is not there
// was never synced: nothing to repeat.
func (d *disk) name(change func(synced string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := change(d.synced); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
		panic(err) // the two sides differ now: the test can prove nothing
	}
}

// node is a file or folder of the disk.
type node struct {
	fs.LoopbackNode
	disk *disk
}

var (
	_ fs.NodeFsyncer  = (*node)(nil)
	_ fs.NodeCreater  = (*node)(nil)
	_ fs.NodeMkdirer  = (*node)(nil)
	_ fs.NodeRenamer  = (*node)(nil)
	_ fs.NodeUnlinker = (*node)(nil)
	_ fs.NodeRmdirer  = (*node)(nil)
)

// path of an entry of this folder, or (with "") of this node.
func (n *node) path(entry string) string { return filepath.Join(n.Path(n.Root()), entry) }

// Fsync makes the file's data durable.
func (n *node) Fsync(_ context.Context, _ fs.FileHandle, _ uint32) syscall.Errno {
	return fs.ToErrno(n.disk.sync(n.path("")))
}

// Create makes a file; its name is durable, its data is not.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, handle, how, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno == 0 {
		n.disk.name(func(synced string) error {
			file, err := os.OpenFile(filepath.Join(synced, n.path(name)), os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				return err
			}
			return file.Close()
		})
	}
	return inode, handle, how, errno
}

// Mkdir makes a folder.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	inode, errno := n.LoopbackNode.Mkdir(ctx, name, mode, out)
	if errno == 0 {
		n.disk.name(func(synced string) error { return os.Mkdir(filepath.Join(synced, n.path(name)), 0o755) })
	}
	return inode, errno
}

// Rename gives an entry another name.
func (n *node) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	from := n.path(name)
	to := filepath.Join(parent.EmbeddedInode().Path(n.Root()), newName)
	errno := n.LoopbackNode.Rename(ctx, name, parent, newName, flags)
	if errno == 0 {
		n.disk.name(func(synced string) error {
			return os.Rename(filepath.Join(synced, from), filepath.Join(synced, to))
		})
	}
	return errno
}

// Unlink removes a file.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	errno := n.LoopbackNode.Unlink(ctx, name)
	if errno == 0 {
		n.disk.name(func(synced string) error { return os.Remove(filepath.Join(synced, n.path(name))) })
	}
	return errno
}

// Rmdir removes a folder.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	errno := n.LoopbackNode.Rmdir(ctx, name)
	if errno == 0 {
		n.disk.name(func(synced string) error { return os.Remove(filepath.Join(synced, n.path(name))) })
	}
	return errno
}
