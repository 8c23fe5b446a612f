package load

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestRounds: what comes in within a round is read in one go, a full buffer is
// read on at once, and a quiet socket is read without delay.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := net.Pipe()
		defer from.Close()
		c := &roundConn{Conn: from}
		write := func(text string) {
			go func() {
				if _, err := io.WriteString(to, text); err != nil {
					t.Error(err)
				}
			}()
		}
		start := time.Now()
		read := func(size int, text string, want time.Duration) {
			t.Helper()
			buf := make([]byte, size)
			n, err := c.Read(buf)
			if err != nil || string(buf[:n]) != text {
				t.Errorf("read %q, %v; want %q", buf[:n], err, text)
			}
			if since := time.Since(start); since < want-beat || since > want {
				t.Errorf("%q was read after %v, want %v", text, since, want)
			}
		}
		write("welcome")
		read(64, "welcome", 0)
		c.begin()
		write("first")
		read(64, "first", 0)
		write("full second")
		read(4, "full", round)
		read(64, " second", round)
		write("third")
		read(64, "third", 2*round)
		time.Sleep(5 * round)
		write("late")
		read(64, "late", 7*round)
		write("answer")
		go c.hurry(true)
		read(64, "answer", 7*round)
		c.hurry(false)
	})
}
