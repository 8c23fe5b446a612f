package load

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// exchangesKept is how many exchanges with the master are remembered: with one
// every 2 s, the estimate follows drift within two minutes.
const exchangesKept = 60

// began and beganUS are the same instant, by Go's clock and by the system's.
var (
	began   = time.Now()
	beganUS = systemUS()
)

// systemUS is the system's monotonic clock, µs: Python's time.monotonic. Shared
// by all processes of one Linux kernel.
func systemUS() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // it exists on every Linux
	}
	return ts.Nano() / 1000
}

// nowUS is the same, without a system call.
func nowUS() int64 { return beganUS + time.Since(began).Microseconds() }

// bootID names the running kernel; "" where the system does not tell.
func bootID() string {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// exchange is one question to the master for its clock.
type exchange struct{ roundTrip, offset int64 }

// clock is the lab's clock: the master's monotonic clock, µs, and how wrong it
// may be here. On the master's kernel it is the same clock; elsewhere the
// offset is estimated as NTP does: the shortest round trip counts, and half of
// it is the largest error. Safe for concurrent use.
type clock struct {
	mu        sync.Mutex
	exchanges []exchange
	shared    bool
	offset    int64
}

// sameKernel: this process and the master read the same clock.
func (c *clock) sameKernel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shared, c.offset = true, 0
}

// exchanged takes a question that was sent and answered by our clock at sent
// and received, and by the master's at theirs.
func (c *clock) exchanged(sent, theirs, received int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exchanges = append(c.exchanges, exchange{max(0, received-sent), theirs - (sent+received)/2})
	if len(c.exchanges) > exchangesKept {
		c.exchanges = c.exchanges[1:]
	}
	if !c.shared {
		c.offset = c.best().offset
	}
}

func (c *clock) best() exchange {
	return slices.MinFunc(c.exchanges, func(a, b exchange) int { return cmp.Compare(a.roundTrip, b.roundTrip) })
}

// now is the lab's clock, µs.
func (c *clock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return nowUS() + c.offset
}

// error is the greatest possible error, µs; known is false before the first
// answer.
func (c *clock) error() (us int64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shared {
		return 0, true
	}
	if len(c.exchanges) == 0 {
		return 0, false
	}
	return (c.best().roundTrip + 1) / 2, true
}

// latest is the lab's clock with its greatest error, and the others', added:
// surely not before now.
func (c *clock) latest() int64 {
	us, _ := c.error()
	return c.now() + 2*us
}
