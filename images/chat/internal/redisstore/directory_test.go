package redisstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/people"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
	"chatapp/chat/internal/storetest"
)

func directoryOn(url string) *storetest.DirectoryUnderTest {
	opt := redisstore.Options{URL: url, KeyPrefix: fmt.Sprint("people", logs.Add(1))}
	var skew atomic.Int64
	return &storetest.DirectoryUnderTest{
		Shared: true,
		Open: func(t testing.TB) (people.Directory, func()) {
			s := open(t, opt)
			d := s.Directory()
			d.Skew(func() time.Duration { return time.Duration(skew.Load()) })
			return d, func() { s.Close() }
		},
		Advance: func(d time.Duration) { skew.Add(int64(d)) },
	}
}

func TestDirectorySingle(t *testing.T) {
	t.Parallel()
	storetest.RunDirectory(t, func(t *testing.T) *storetest.DirectoryUnderTest {
		server := redistest.Start(t)
		u := directoryOn(server.URL())
		u.Crash = func(testing.TB) { server.Restart() }
		u.Away = func(testing.TB) func() { server.Kill(); return server.Restart }
		return u
	})
}

func TestDirectorySentinel(t *testing.T) {
	t.Parallel()
	ha := redistest.StartHA(t)
	storetest.RunDirectory(t, func(*testing.T) *storetest.DirectoryUnderTest { return directoryOn(ha.URL()) })
}

func TestDirectoryCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, true)
	storetest.RunDirectory(t, func(*testing.T) *storetest.DirectoryUnderTest { return directoryOn(c.URL()) })
}
