package localstore

import (
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/people"
	"chatapp/chat/internal/storetest"
)

func TestDirectory(t *testing.T) {
	storetest.RunDirectory(t, func(t *testing.T) *storetest.DirectoryUnderTest {
		folder := t.TempDir()
		var skew atomic.Int64 // nanoseconds
		return &storetest.DirectoryUnderTest{
			Open: func(t testing.TB) (people.Directory, func()) {
				s, err := Open(Options{Dir: folder, Now: func() time.Time {
					return time.Now().Add(time.Duration(skew.Load()))
				}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				return s.Directory(), func() { s.Close() }
			},
			Advance: func(d time.Duration) { skew.Add(int64(d)) },
		}
	})
}
