package server

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// sendBuffer is the send buffer of each connection in bytes; the kernel
	// takes double. So much memory a client takes that does not read, beside
	// the page it asked for. A WebSocket gets a larger one, of package live.
	sendBuffer = 24 << 10
	// refusing is how many connections may be refused at a time. Each takes a
	// descriptor for at most refuseWait.
	refusing   = 16
	refuseWait = time.Second
	// calmAfter is the time after the last refusal when the log says that it is
	// over.
	calmAfter = 10 * time.Second
)

// reserve is how many descriptors are not for clients: the admin port, the
// log's file or its connections to Redis (redisstore's pools: some 70 to one
// Redis, some 120 to the nodes of a Cluster that hold few partitions each), those
// that are being refused, and what Go itself opens.
const (
	reserveLocal = 48
	reserveRedis = 256
)

// ConnectionsWithin is how many connections of clients fit into a limit of
// descriptors. Of a very small limit it is half.
func ConnectionsWithin(descriptors uint64, redis bool) int {
	reserve := uint64(reserveLocal)
	if redis {
		reserve = reserveRedis
	}
	descriptors = min(descriptors, 1<<30)
	return int(descriptors - min(reserve, descriptors/2))
}

// full is the answer to a connection above the limit.
const full = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 2\r\nCache-Control: no-store\r\n" +
	"Content-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%s"

const fullBody = `{"type":"about:blank","title":"Service Unavailable","status":503,` +
	`"detail":"this server takes no more connections now; try again in a moment","code":"unavailable","retry_after_ms":2000}`

// limited is a listener that takes a bounded number of connections at a time.
// So there are always descriptors for others, such as the admin port.
// Connections above the bound are answered 503. The log says when that begins
// and when it has ended.
type limited struct {
	net.Listener
	logger  *slog.Logger
	slots   chan struct{}
	refuses chan struct{}
	answers sync.WaitGroup

	mu      sync.Mutex
	refused int         // since it began; 0: nobody is refused
	calm    *time.Timer // ends it
	failing bool        // Accept failed the last time
}

// Limit gives a listener that takes at most so many connections of l at a time.
// Its Close waits until those above that have their answer.
func Limit(l net.Listener, most int, logger *slog.Logger) net.Listener {
	return &limited{
		Listener: l, logger: logger.With("component", "server"),
		slots: make(chan struct{}, most), refuses: make(chan struct{}, refusing),
	}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		l.told(err)
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
		default:
			l.refuse(conn)
			continue
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok { // only TCP is listened to; others have no buffer to set
			return &counted{conn, l.release()}, nil
		}
		_ = tcp.SetWriteBuffer(sendBuffer) // if it fails, the connection takes more of the kernel's memory
		return &countedTCP{tcp, l.release()}, nil
	}
}

// release gives a function that gives a slot back, once.
func (l *limited) release() func() { return sync.OnceFunc(func() { <-l.slots }) }

// counted is a connection that gives its slot back when it is closed;
// countedTCP has all that net/http and gorilla/websocket ask of one of TCP.
type counted struct {
	net.Conn
	release func()
}

type countedTCP struct {
	*net.TCPConn
	release func()
}

func (c *counted) Close() error {
	defer c.release()
	return c.Conn.Close()
}

func (c *countedTCP) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}

// refuse answers a connection 503. The client has refuseWait to send its
// request and to take the answer: a socket closed with unread data is reset,
// and the answer might be lost. In a flood, some connections are closed without
// an answer.
func (l *limited) refuse(conn net.Conn) {
	l.note()
	select {
	case l.refuses <- struct{}{}:
	default:
		_ = conn.Close()
		return
	}
	l.answers.Go(func() {
		defer func() { <-l.refuses }()
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(refuseWait))
		if _, err := fmt.Fprintf(conn, full, len(fullBody), fullBody); err != nil {
			return
		}
		if c, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite() // fails only on a socket that is gone
		}
		_, _ = io.CopyN(io.Discard, conn, maxHeaderBytes)
	})
}

// note counts a refusal. The log says so of the first.
func (l *limited) note() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused++; l.refused > 1 {
		l.calm.Reset(calmAfter)
		return
	}
	l.logger.Warn("connections are refused: as many are open as the limit of descriptors allows", "open", cap(l.slots))
	l.calm = time.AfterFunc(calmAfter, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.logger.Info("connections are taken again", "refused", l.refused)
		l.refused = 0
	})
}

// told logs the first of several failures of Accept in a row, and when they
// have ended.
func (l *limited) told(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	temporary, ok := err.(interface{ Temporary() bool })
	failing := ok && temporary.Temporary()
	switch {
	case failing && !l.failing:
		l.logger.Error("connections cannot be taken", "error", err)
	case err == nil && l.failing:
		l.logger.Info("connections can be taken again")
	}
	l.failing = failing
}

// Close implements net.Listener.
func (l *limited) Close() error {
	err := l.Listener.Close()
	l.answers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calm != nil {
		l.calm.Stop()
	}
	return err
}
