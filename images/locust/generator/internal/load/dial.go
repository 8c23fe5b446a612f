package load

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/generator/internal/wire"
)

const (
	// readBuffer is what is read of a socket at a time, bytes: ten frames of a
	// message of the usual size.
	readBuffer = 4096
	// round is how long a crowd's socket that was just read is left alone: what
	// comes in meanwhile is read in one go, and reading is most of what a
	// delivery costs. Only where probes measure, for it delays what the crowd
	// sees, by half of it on average; not while somebody waits for an answer.
	round = 25 * time.Millisecond
	// beat: the rounds of all sockets end on multiples of it, so that the process
	// wakes once for many.
	beat = time.Millisecond
)

// anyCertificate: no trust is at stake in a test lab.
var anyCertificate = &tls.Config{InsecureSkipVerify: true}

// newDialer makes what people connect with; wrap is what their sockets get around
// them, nil for nothing. Where TLS is spoken they get nothing.
func newDialer(wrap func(net.Conn) net.Conn) *websocket.Dialer {
	d := &websocket.Dialer{
		HandshakeTimeout: connectTimeout, ReadBufferSize: readBuffer, WriteBufferSize: 1024,
		WriteBufferPool: &sync.Pool{}, Subprotocols: []string{wire.Subprotocol}, TLSClientConfig: anyCertificate,
	}
	plain := &net.Dialer{}
	if wrap != nil {
		// Without TLS alone: gorilla would put TLS on top of it.
		d.NetDialTLSContext = (&tls.Dialer{NetDialer: plain, Config: anyCertificate}).DialContext
		d.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := plain.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return wrap(conn), nil
		}
	}
	return d
}

// inRounds makes a connection one that is read once in a round.
func inRounds(conn net.Conn) net.Conn { return &roundConn{Conn: conn} }

// roundConn is a connection that is read once in a round. Read and begin belong
// to the reading goroutine; hurry may be called from anywhere.
type roundConn struct {
	net.Conn
	// next is when it may be read again; zero before begin.
	next  time.Time
	timer *time.Timer
	// hurried: read at once, for an answer is waited for. woken ends a wait.
	hurried atomic.Bool
	woken   chan struct{}
}

// begin: the welcome is here, from now on read in rounds.
func (c *roundConn) begin() {
	c.next = time.Now()
	c.timer = time.NewTimer(0)
	c.woken = make(chan struct{}, 1)
}

// hurry says whether an answer is waited for. After begin.
func (c *roundConn) hurry(on bool) {
	c.hurried.Store(on)
	if on {
		select {
		case c.woken <- struct{}{}:
		default:
		}
	}
}

func (c *roundConn) Read(p []byte) (int, error) {
	if c.next.IsZero() {
		return c.Conn.Read(p)
	}
	// A socket that was quiet for longer than a round is read at once.
	if wait := time.Until(c.next); wait > 0 && !c.hurried.Load() {
		c.timer.Reset(wait)
		select {
		case <-c.timer.C:
		case <-c.woken:
		}
	}
	n, err := c.Conn.Read(p)
	if n < len(p) { // else there is more already: it must not pile up
		c.next = time.Now().Add(round).Truncate(beat)
	}
	return n, err
}
