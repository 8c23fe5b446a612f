package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
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

// handle one frame of a welcomed connection, which came at an instant of the
// lab's clock. With the lock.
func (c *client) handle(f *wire.Frame, at int64) {
	switch f.Type {
	case wire.KindMessages:
		c.deliver(f.Messages, at, c.resumedBefore)
		c.account.Position(f.Cursor != "", f.Messages)
		if f.Cursor != "" {
			c.cursor = f.Cursor
		}
	case wire.KindAck:
		if f.ID != "" { // else of an ephemeral message; none is posted here
			c.outbox.answered(f, at)
		}
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
		case c.outbox.answered(f, at):
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
