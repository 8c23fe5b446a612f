// Command volatile is a disk that loses what was not synced: a FUSE file
// system for tests of durability. A process that is killed leaves its writes
// in the kernel's cache, so kill -9 says nothing about a power cut; this does.
//
//	volatile MOUNTPOINT FOLDER
//
// FOLDER gets two folders: now, what programs see, and synced, what the disk
// holds. SIGUSR1 is the power cut: now becomes what synced is (no file may be
// open). SIGTERM and SIGINT unmount and end. One line on standard output says
// that it is mounted, one that power was cut.
//
// The model: names (creating, renaming, removing) are durable at once, as a
// journal keeps them; a file's data is durable up to the last fsync. Files are
// appended to or written anew, as Redis does: what is overwritten in place and
// was synced before counts as synced.
package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: volatile MOUNTPOINT FOLDER")
		os.Exit(2)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Error("the disk failed", "error", err)
		os.Exit(1)
	}
}

// run serves the disk until a signal ends it.
func run(mountpoint, folder string) error {
	disk, err := newDisk(folder)
	if err != nil {
		return err
	}
	server, err := disk.mount(mountpoint)
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	fmt.Println("mounted")
	for which := range signals {
		if which != syscall.SIGUSR1 {
			break
		}
		if err := disk.cutPower(); err != nil {
			return fmt.Errorf("cut power: %w", err)
		}
		fmt.Println("power cut")
	}
	return server.Unmount()
}

// mount makes the disk visible at mountpoint. Nothing is cached by name, so
// that after a power cut nobody sees what was.
func (d *disk) mount(mountpoint string) (*fuse.Server, error) {
	root := &fs.LoopbackRoot{Path: d.now}
	root.NewNode = func(_ *fs.LoopbackRoot, _ *fs.Inode, _ string, _ *syscall.Stat_t) fs.InodeEmbedder {
		return &node{LoopbackNode: fs.LoopbackNode{RootData: root}, disk: d}
	}
	top := &node{LoopbackNode: fs.LoopbackNode{RootData: root}, disk: d}
	root.RootNode = top
	return fs.Mount(mountpoint, top, &fs.Options{
		MountOptions: fuse.MountOptions{FsName: "volatile", Name: "volatile"},
	})
}
