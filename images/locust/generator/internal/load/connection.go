package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/generator/internal/ledger"
	"chatapp/generator/internal/wire"
)

// readForever connects, reads until the connection ends, and again, until ctx
// ends.
func (c *client) readForever(ctx context.Context) {
	w := c.w
	failures := 0
	for c.wanted.wait(ctx) {
		ended, err := c.connection(ctx)
		w.mu.Lock()
		if err != nil {
			ended = c.leave
			// Broken before the welcome: nothing was lost, but a person was turned
			// away; unless that person left in the middle of it.
			if ended == "" {
				w.failure("connect", describe(err))
				failures++
			}
		} else {
			failures = 0
		}
		c.disconnected()
		w.mu.Unlock()
		if ctx.Err() != nil {
			break
		}
		if ended == endLeft || ended == endBye {
			continue
		}
		pause := min(backoffLast, backoffFirst<<min(failures, 10))
		if !sleep(ctx, time.Duration(float64(pause)*(0.5+c.rng.Float64()/2))) {
			break
		}
	}
	c.close(false)
}

// connection connects, says hello and reads until the end. It returns why it
// ended, or an error when that was before the welcome.
func (c *client) connection(ctx context.Context) (string, error) {
	w := c.w
	w.mu.Lock()
	old := c.conn
	if c.leave != endStopped {
		c.leave = ""
	}
	c.began = w.clock.now()
	resuming := c.cursor != ""
	hello := wire.Hello(c.topics, c.cursor, w.options.HistoryLimit)
	dialer := w.dialer
	switch {
	case w.probing:
		dialer = w.probeDialer
	case w.probed:
		dialer = w.slowDialer
	}
	w.mu.Unlock()
	c.base = w.target(c.rng, c.base)
	dialCtx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, response, err := dialer.DialContext(dialCtx, "ws"+strings.TrimPrefix(c.base, "http")+"/ws", nil)
	if err != nil {
		if response != nil {
			return "", fmt.Errorf("refused with status %d", response.StatusCode)
		}
		return "", err
	}
	w.mu.Lock()
	stopped := c.leave == endStopped
	c.conn = conn
	w.mu.Unlock()
	if stopped || ctx.Err() != nil {
		hangUp(conn, false)
		return "", context.Canceled
	}
	reader := &frameReader{conn: conn}
	welcome, err := c.greet(reader, hello)
	if err != nil {
		hangUp(conn, true)
		w.mu.Lock()
		c.conn = old
		w.mu.Unlock()
		return "", err
	}
	if old != nil && old != conn {
		hangUp(old, false) // after a bye the old one is closed only now
	}
	w.mu.Lock()
	now := w.arrival(conn)
	row := "connect"
	if resuming {
		row = "resume"
	}
	w.slot.Row(row).Record(now - c.began)
	c.server = welcome.Server
	c.welcomed(welcome, resuming, now)
	c.connected.set()
	w.mu.Unlock()
	c.base = "" // any target will do for the next connection
	return c.readUntilEnd(ctx, reader), nil
}

// greet says hello and waits for the welcome.
func (c *client) greet(reader *frameReader, hello []byte) (*wire.Frame, error) {
	if err := reader.conn.SetReadDeadline(time.Now().Add(connectTimeout)); err != nil {
		return nil, err
	}
	if err := c.writeTo(reader.conn, hello); err != nil {
		return nil, err
	}
	welcome, err := reader.welcome()
	if err != nil {
		return nil, err
	}
	if slow, ok := reader.conn.NetConn().(*roundConn); ok {
		slow.begin()
	}
	return welcome, reader.conn.SetReadDeadline(time.Time{})
}

// welcomed takes the position that the server confirmed. With the lock.
func (c *client) welcomed(welcome *wire.Frame, resuming bool, now int64) {
	w := c.w
	if c.account == nil {
		c.account = w.ledger.Reader(c.name)
	}
	if resuming && welcome.Recovered {
		c.resumedBefore = c.began
		c.deliver(welcome.Messages, now, ledger.Always)
	} else {
		if resuming {
			w.failure("resume", "cursor not honoured")
		}
		c.account.Welcome(c.topics, welcome.Messages, welcome.More, w.clock.latest())
	}
	c.cursor = welcome.Cursor
	c.account.Position(true, nil)
}

// readUntilEnd reads frames until the connection ends, and says why it did.
func (c *client) readUntilEnd(ctx context.Context, reader *frameReader) string {
	w := c.w
	for {
		c.doze(ctx)
		raw, err := reader.read()
		w.mu.Lock()
		if err != nil {
			ended := c.ended(err)
			w.mu.Unlock()
			return ended
		}
		frame, err := w.decode(raw)
		switch {
		case err != nil:
			w.failure("frame", err.Error())
		case frame.Type == wire.KindBye:
			w.slot.Counters["byes"]++
			c.onPurpose = false
			w.mu.Unlock()
			return endBye
		default:
			c.handle(frame, w.arrival(reader.conn))
		}
		w.mu.Unlock()
	}
}

// doze pauses as long as was asked for. Nobody dozes through the end: what a
// sleeper has not read yet would look lost.
func (c *client) doze(ctx context.Context) {
	if !c.slow {
		return
	}
	for {
		c.w.mu.Lock()
		step := min(200*time.Millisecond, c.pause)
		c.pause -= step
		awake := step <= 0 || c.w.draining
		c.w.mu.Unlock()
		if awake || !sleep(ctx, step) {
			return
		}
	}
}

// ended: the connection did. Says why, and counts it as a failure unless it was
// wanted. With the lock.
func (c *client) ended(err error) string {
	w := c.w
	if c.leave != "" {
		return c.leave
	}
	c.onPurpose = false
	code := 0
	if closed := (*websocket.CloseError)(nil); errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
		code = closed.Code
	}
	if code == wire.CloseTooSlow && c.slow {
		w.slot.Counters["closed_too_slow"]++
		c.onPurpose = true
		return endLeft
	}
	text := describe(err)
	w.failure("connection", text)
	if code == wire.ClosePolicy || code == wire.CloseTooBad {
		c.wanted.clear()
	}
	return text
}

// disconnected wakes whoever waits for an answer that will not come on this
// connection. With the lock.
func (c *client) disconnected() {
	c.connected.clear()
	c.server = ""
	if c.leave == endLeft {
		c.onPurpose = true
	}
	c.outbox.tell(nil)
	for _, waiting := range c.histories {
		select {
		case waiting <- nil:
		default:
		}
	}
}

// describe is a short text that is the same for the same kind of failure: no
// addresses, no numbers.
func describe(err error) string {
	closed := (*websocket.CloseError)(nil)
	var timeout net.Error
	var code syscall.Errno
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		return fmt.Sprintf("closed %d", closed.Code)
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &code):
		return code.Error()
	case closed != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection lost"
	}
	text := err.Error()
	return text[:min(len(text), 120)]
}
