//go:build unix

package main

import (
	"math"
	"syscall"
)

// descriptors is how many this process may have open. Go has raised the soft
// limit to the hard one at the start.
func descriptors() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return math.MaxInt32
	}
	return uint64(l.Cur)
}
