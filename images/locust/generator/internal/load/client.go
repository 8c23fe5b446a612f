package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/generator/internal/ledger"
	"chatapp/generator/internal/wire"
)

const (
	// connectTimeout bounds the handshake and the wait for the welcome.
	connectTimeout = 15 * time.Second
	// writeTimeout bounds one write: a server that reads nothing is gone.
	writeTimeout = 10 * time.Second
	// backoffLast is the longest pause after failed connections; the shortest is
	// that of posts.
	backoffLast = 8 * time.Second
	// probeLetter begins the names of probes, whose messages a probe times.
	probeLetter = "x"
)

// Why a connection was left on purpose.
const (
	endLeft    = "left"
	endStopped = "stopped"
	endBye     = "bye"
)

// client is one person's connection: a socket, the goroutine that reads it, and
// what happens when it breaks. Only that goroutine connects and receives; write
// may be called from anywhere. Fields are guarded by the worker's lock where
// nothing else is said.
type client struct {
	w      *Worker
	name   string
	topics []string
	// rng belongs to the reading goroutine, coin to whoever goes away.
	rng, coin *rand.Rand
	poster    bool
	// slow: reading pauses may be asked for, so that being closed as too slow is
	// no failure.
	slow bool
	// connected is open while a welcome was received on the present connection,
	// wanted while this person wants to be connected.
	connected, wanted gate
	// server serves the present connection, "" while there is none.
	server string
	// account is this person's in the ledger, from the first welcome on.
	account *ledger.Reader
	// cursor is where to resume; "" before the first welcome.
	cursor string
	// resumedBefore: messages sent before this instant (µs) come by resume.
	resumedBefore int64
	// onPurpose: the present absence is of this person's own choosing.
	onPurpose bool
	// began is when the present connection attempt began, µs.
	began int64
	// leave is why the reader should drop the connection; "" to stay.
	leave string
	// pause is how long the reader is to pause before it reads on.
	pause  time.Duration
	outbox *outbox
	// histories: ref → where the answer goes.
	histories map[string]chan *wire.Frame
	refs      int
	// conn is the present socket; writing serialises its writers.
	conn    *websocket.Conn
	writing sync.Mutex
	// base is the target of the present connection, the reader's alone.
	base   string
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func newClient(w *Worker, name string, topics []string, poster, slow bool) *client {
	c := &client{
		w: w, name: name, topics: topics, poster: poster, slow: slow,
		rng: random("%s/client", name), coin: random("%s/coin", name), histories: map[string]chan *wire.Frame{},
	}
	c.outbox = newOutbox(c, random("%s/outbox", name))
	return c
}

// topicNumber is the place of a topic among those of this person.
func (c *client) topicNumber(topic string) int { return slices.Index(c.topics, topic) }

// start connects and stays connected, in the background, until stop.
func (c *client) start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	c.wanted.set()
	c.done.Go(func() { c.readForever(ctx) })
	if c.poster {
		c.done.Go(func() { c.outbox.run(ctx) })
	}
}

// stop leaves for good, and waits until that is done. The account is closed:
// owed up to what it got past, no further. Without the lock.
func (c *client) stop() {
	c.w.mu.Lock()
	if c.account != nil {
		c.account.Attached = false
	}
	c.leave = endStopped
	c.connected.clear()
	c.w.mu.Unlock()
	c.cancel()
	c.close(false)
	c.done.Wait()
}

// hurry says whether an answer is waited for: then the socket is read at once.
func (c *client) hurry(on bool) {
	c.w.mu.Lock()
	conn := c.conn
	c.w.mu.Unlock()
	if conn != nil {
		if slow, ok := conn.NetConn().(*roundConn); ok {
			slow.hurry(on)
		}
	}
}

// goAway disconnects on purpose, half of the times without a word.
func (c *client) goAway() {
	c.w.mu.Lock()
	c.wanted.clear()
	c.leave = endLeft
	abrupt := c.coin.Float64() < 0.5
	c.w.mu.Unlock()
	c.close(abrupt)
}

// comeBack connects again, and resumes.
func (c *client) comeBack() { c.wanted.set() }

// write sends a frame on the present socket.
func (c *client) write(frame []byte) error {
	c.w.mu.Lock()
	conn := c.conn
	c.w.mu.Unlock()
	if conn == nil {
		return net.ErrClosed
	}
	return c.writeTo(conn, frame)
}

func (c *client) writeTo(conn *websocket.Conn, frame []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return conn.WriteMessage(websocket.TextMessage, frame)
}

// close ends the present connection: with a close frame, or without a word. The
// reader then sees the end.
func (c *client) close(abrupt bool) {
	c.w.mu.Lock()
	conn := c.conn
	c.w.mu.Unlock()
	hangUp(conn, abrupt)
}

func hangUp(conn *websocket.Conn, abrupt bool) {
	if conn == nil {
		return
	}
	if !abrupt {
		// Best effort: the other end may be gone.
		_ = conn.WriteControl(websocket.CloseMessage,
			websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	}
	_ = conn.Close()
}

// askHistory reads back a page over the socket; nil when there was no answer.
// Without the lock.
func (c *client) askHistory(ctx context.Context, topic, before string, limit int) *wire.Frame {
	if !c.connected.isSet() {
		return nil
	}
	w := c.w
	answer := make(chan *wire.Frame, 1)
	w.mu.Lock()
	c.refs++
	ref := fmt.Sprintf("%s-%d", c.name, c.refs)
	c.histories[ref] = answer
	asked := w.clock.now()
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(c.histories, ref)
		w.mu.Unlock()
	}()
	c.hurry(true)
	defer c.hurry(false)
	if c.write(wire.History(ref, topic, before, limit)) != nil {
		return nil // the reader sees the same and counts it
	}
	timeout := time.NewTimer(ackTimeout)
	defer timeout.Stop()
	var page *wire.Frame
	select {
	case page = <-answer:
	case <-ctx.Done():
		return nil
	case <-timeout.C:
		w.mu.Lock()
		w.failure("history", "no answer")
		w.mu.Unlock()
	}
	if page == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slot.Row("history").Record(w.clock.now() - asked)
	for _, text := range faults(page.Messages, topic, before, limit) {
		w.failure("history", text)
	}
	return page
}

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
	if w.probed && !w.probing {
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
	now := w.clock.now()
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
			c.handle(frame)
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

// handle one frame of a welcomed connection. With the lock.
func (c *client) handle(f *wire.Frame) {
	switch f.Type {
	case wire.KindMessages:
		c.deliver(f.Messages, c.w.clock.now(), c.resumedBefore)
		c.account.Position(f.Cursor != "", f.Messages)
		if f.Cursor != "" {
			c.cursor = f.Cursor
		}
	case wire.KindAck:
		c.outbox.answered(f)
	case wire.KindPresence:
		if f.Cursor != "" {
			c.cursor = f.Cursor
			c.account.Position(true, nil)
		}
	case wire.KindHistory:
		if waiting := c.histories[f.Ref]; waiting != nil {
			waiting <- f
			delete(c.histories, f.Ref)
		}
	case wire.KindError:
		waiting := c.histories[f.Ref]
		switch {
		case c.outbox.answered(f):
		case f.Ref != "" && waiting != nil:
			c.w.failure("history", "error "+f.Code)
			waiting <- nil
			delete(c.histories, f.Ref)
		default:
			c.w.failure("frame", "error "+f.Code)
		}
	}
}

// deliver: messages were shown at now; those sent before resumedBefore by a
// resume. With the lock.
func (c *client) deliver(messages []*wire.Message, now, resumedBefore int64) {
	w := c.w
	shown := 0
	for _, m := range messages {
		outcome, mark := c.account.Deliver(m, resumedBefore)
		if mark == nil {
			continue
		}
		if outcome == ledger.New || outcome == ledger.Reordered {
			shown++
			sent := mark.Sent()
			switch {
			case mark.Poster == c.name:
				// One's own message: measured by one clock, so it needs no offset.
				w.slot.Row("echo").Record(now - sent)
			case w.probing && !strings.HasPrefix(mark.Poster, probeLetter):
				// The crowd's posts leave when its busy process gets to it.
				if !w.ramping {
					w.slot.Counters["deliveries untimed"]++
				}
			case c.onPurpose && sent < c.resumedBefore:
				// Missed by choice: what counts is how fast it came once we were back.
				w.slot.Row("catch_up").Record(now - c.resumedBefore)
			case c.slow:
				// Its dozing is its own: what others feel must not hide behind it.
				w.slot.Row("deliver_slow").Record(now - mark.Intended)
			default:
				w.deliverRow().Record(now - mark.Intended)
			}
		}
		if outcome == ledger.Reordered || outcome == ledger.Duplicate {
			w.failure("deliver", string(outcome))
		}
	}
	if shown > 0 {
		w.shown += shown
	}
}

// frameReader reads a socket's frames, each into the same buffer.
type frameReader struct {
	conn *websocket.Conn
	buf  []byte
}

// read is the next frame; it is valid until the next call.
func (r *frameReader) read() ([]byte, error) {
	_, from, err := r.conn.NextReader()
	if err != nil {
		return nil, err
	}
	r.buf = r.buf[:0]
	for {
		if len(r.buf) == cap(r.buf) {
			r.buf = slices.Grow(r.buf, max(1024, cap(r.buf)))
		}
		n, err := from.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if err == io.EOF {
			return r.buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// welcome waits for the welcome; others that come before it are passed over.
func (r *frameReader) welcome() (*wire.Frame, error) {
	for {
		raw, err := r.read()
		if closed := (*websocket.CloseError)(nil); errors.As(err, &closed) {
			return nil, fmt.Errorf("closed %d before welcome", closed.Code)
		} else if err != nil {
			return nil, err
		}
		f, err := wire.Decode(raw)
		if err != nil {
			return nil, err
		}
		switch f.Type {
		case wire.KindWelcome:
			return f, nil
		case wire.KindError:
			return nil, fmt.Errorf("hello refused: %s", f.Code)
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
