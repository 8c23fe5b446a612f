package live

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/wire"
)

// outbox is what waits to be written to one client, in order. Any goroutine may
// use it, and none ever waits for the socket. The hub sees the session as this
// feed.Subscriber, and the crowd as this crowd.Member.
//
// While there is something to write, one goroutine writes it (flush); while
// there is nothing, none exists, so an idle session costs its reader alone.
// What gathers during a write goes out with the next one: several messages in
// one frame. The session joins the goroutine (join).
type outbox struct {
	socket
	writing sync.WaitGroup // the goroutine

	mu         sync.Mutex
	frames     []waiting
	deliveries limit.Bytes    // of the frames that nobody asked for
	answers    limit.Bytes    // of the frames that the client asked for, those being written too
	written    int            // of answers, the bytes of those being written
	turns      int            // counts writes that have ended
	presence   *wire.Frame    // only the newest matters
	ping       bool           // a ping is due
	pong       []byte         // the newest ping of the client, to be answered
	closing    wire.CloseCode // not 0: write what waits, then this
	flushing   bool           // the goroutine exists
	dead       bool           // the socket is gone; what comes is dropped
	empty      chan struct{}  // not nil: somebody waits for it to be closed when all is written
	roomy      chan struct{}  // not nil: the session waits for it to be closed when it may read on
}

// answerBytes is how many bytes of answers may wait. Above that, the session
// reads no more frames of its client. A page, which is larger, waits alone.
// Deliveries are shared by many sessions; answers take memory for one client
// alone, as much as it asks for.
const answerBytes = 48 << 10

// init makes the outbox of a connection. Of deliveries at most about most bytes
// and one frame wait; the largest is what the feed reads at once.
func (o *outbox) init(conn *websocket.Conn, most int, metrics *Metrics) {
	o.conn, o.metrics = conn, metrics
	o.deliveries.Most, o.answers.Most = most, answerBytes
}

// add queues something to be written, unless the session is going or gone.
func (o *outbox) add(queue func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing != 0 || o.dead {
		return
	}
	queue()
	o.start()
}

// Answer queues a frame that the client asked for. However much waits, it is
// queued; but while too much of it waits (full), the session reads no more of
// the client's frames.
func (o *outbox) Answer(f *wire.Frame) {
	o.add(func() {
		o.frames = append(o.frames, waiting{Frame: f})
		o.answers.Force(len(f.Text))
	})
}

// full reports whether the client has to take answers before it is heard
// again; room is closed when it has.
func (o *outbox) full() (room <-chan struct{}, full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.answers.Over() || o.dead || o.closing != 0 {
		return nil, false
	}
	if o.roomy == nil {
		o.roomy = make(chan struct{})
	}
	return o.roomy, true
}

// progress counts how often the client has taken something.
func (o *outbox) progress() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.turns
}

// TooSlow closes a session whose client does not take what it is sent.
func (o *outbox) TooSlow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing == 0 && !o.dead {
		o.tooSlow()
	}
}

// tooSlow drops what waits and says why. o.mu is held.
func (o *outbox) tooSlow() {
	o.metrics.slow.Inc()
	o.drop()
	o.goodbye(wire.CloseTooSlow)
}

// Deliver queues messages that nobody asked for just now. If too many wait
// already, the client is too slow: what waits is dropped, and the session closes
// with wire.CloseTooSlow. What comes now is queued however much it is: a frame
// larger than a queue says how much the log brought, and nothing of the client.
func (o *outbox) Deliver(f *wire.Frame) {
	o.add(func() {
		if n := len(f.Text); !o.deliveries.Take(n) && (!o.dropWhispers() || !o.deliveries.Take(n)) {
			if o.deliveries.Over() {
				o.tooSlow()
				return
			}
			o.deliveries.Force(n)
		}
		o.frames = append(o.frames, waiting{Frame: f, delivery: true})
	})
}

// Whisper queues ephemeral messages. They are dropped before anything else is:
// at once when a quarter of what may wait does wait, and later when messages
// would find no room.
func (o *outbox) Whisper(f *wire.Frame) {
	o.add(func() {
		if o.deliveries.Waiting()+len(f.Text) > o.deliveries.Most/4 || !o.deliveries.Take(len(f.Text)) {
			o.metrics.dropped.Inc()
			return
		}
		o.frames = append(o.frames, waiting{Frame: f, delivery: true, whisper: true})
	})
}

// dropWhispers drops the ephemeral messages that wait, and reports whether
// there were any.
func (o *outbox) dropWhispers() bool {
	n := len(o.frames)
	o.frames = slices.DeleteFunc(o.frames, func(w waiting) bool {
		if w.whisper {
			o.deliveries.Give(len(w.Text))
			o.metrics.dropped.Inc()
		}
		return w.whisper
	})
	return len(o.frames) < n
}

// drop forgets what waits.
func (o *outbox) drop() {
	o.frames, o.presence, o.ping, o.pong = nil, nil, false, nil
	o.deliveries.Reset()
	o.answers.Reset()
	o.written = 0
	o.signalRoom()
}

// TellPresence queues a presence frame, in place of one not yet written.
func (o *outbox) TellPresence(f *wire.Frame) {
	o.add(func() { o.presence = f })
}

// Bye queues a bye frame.
func (o *outbox) Bye(f *wire.Frame) { o.Answer(f) }

// Ping queues a ping.
func (o *outbox) Ping() {
	o.add(func() { o.ping = true })
}

// Pong queues the answer to a ping. RFC 6455, 5.5.3: that to the most recent
// one is enough.
func (o *outbox) Pong(payload string) {
	o.add(func() { o.pong = append([]byte{}, payload...) })
}

// extend gives the client d more to send something, unless it has been told
// to go: then the reader's deadline is goodbye's.
func (o *outbox) extend(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing == 0 && !o.dead {
		_ = o.conn.SetReadDeadline(time.Now().Add(d)) // fails only on a socket that is gone
	}
}

// Lost ends a session whose subscription has ended: the client resumes.
func (o *outbox) Lost() { o.Close(wire.CloseGoingAway) }

// Close lets what waits be written, then the close frame. The first code
// counts.
func (o *outbox) Close(code wire.CloseCode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing == 0 {
		o.goodbye(code)
	}
}

// goodbye shortens the time of a write under way to goodbyeWait, and makes the
// socket's buffer larger so that it may end. In any case the reader ends the
// session when its own deadline passes.
func (o *outbox) goodbye(code wire.CloseCode) {
	o.closing, o.presence, o.ping, o.pong = code, nil, false, nil
	if o.dead {
		return
	}
	o.metrics.closed(code)
	// These fail only on a socket that is gone.
	raw := o.conn.NetConn()
	if b, ok := raw.(interface{ SetWriteBuffer(int) error }); ok && o.flushing {
		_ = b.SetWriteBuffer(goodbyeBuffer)
	}
	_ = raw.SetWriteDeadline(time.Now().Add(goodbyeWait))
	_ = raw.SetReadDeadline(time.Now().Add(2 * goodbyeWait))
	o.start()
}

// kill drops what waits; the socket is gone.
func (o *outbox) kill() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
	o.drop()
	o.signalEmpty()
}

// join waits until nothing is written any more. kill comes before it, and the
// socket is closed.
func (o *outbox) join() { o.writing.Wait() }

// Ended reports whether the session is closed or closing.
func (o *outbox) Ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dead || o.closing != 0
}

// drained returns a channel that is closed once nothing waits to be written.
func (o *outbox) drained() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.empty == nil {
		o.empty = make(chan struct{})
	}
	ch := o.empty
	if o.dead || !o.flushing {
		o.signalEmpty()
	}
	return ch
}

func (o *outbox) signalEmpty() {
	if o.empty != nil {
		close(o.empty)
		o.empty = nil
	}
}

// signalRoom lets the session read on. o.mu is held.
func (o *outbox) signalRoom() {
	if o.roomy != nil && !o.answers.Over() {
		close(o.roomy)
		o.roomy = nil
	}
}

// start makes sure that what waits is written. o.mu is held.
func (o *outbox) start() {
	if !o.flushing && !o.dead {
		o.flushing = true
		o.writing.Add(1)
		go o.flush()
	}
}

// flush writes until nothing waits. It is the only writer of the socket.
func (o *outbox) flush() {
	defer o.writing.Done()
	for {
		next, closing, more := o.take()
		if !more {
			return
		}
		err := o.write(next)
		if closing != 0 && err == nil {
			err = o.writeClose(closing)
			o.kill() // the reader waits for the client's answer, as long as goodbye lets it
		}
		switch {
		case err == nil:
		case errors.Is(err, websocket.ErrCloseSent):
			// gorilla has sent a close frame by itself, to a frame that is too
			// large or malformed. The reader was told, and lingers: a socket
			// closed now would be reset.
			o.kill()
		default:
			if isTimeout(err) {
				o.stalled()
			}
			o.kill()
			_ = o.conn.NetConn().Close() // the reader notices and ends the session
		}
	}
}

// stalled counts a client that took nothing for so long that the close frame
// cannot be sent. A client that was sent one is counted already.
func (o *outbox) stalled() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing == 0 && !o.dead {
		o.metrics.slow.Inc()
		o.metrics.closed(wire.CloseTooSlow)
	}
}

// take takes what is to be written next. closing is not 0 when that is nothing
// but the close frame. If there is nothing more, the goroutine counts as ended.
func (o *outbox) take() (next load, closing wire.CloseCode, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers.Give(o.written) // the write before has ended
	o.written = 0
	o.turns++
	o.signalRoom()
	n := joinCount(o.frames)
	next = load{frames: o.frames[:n:n], presence: o.presence, ping: o.ping, pong: o.pong}
	idle := next.isEmpty()
	if o.dead || idle && o.closing == 0 {
		o.flushing, o.frames = false, nil
		o.signalEmpty()
		return load{}, 0, false
	}
	if idle {
		return next, o.closing, true
	}
	for _, f := range next.frames {
		if f.delivery {
			o.deliveries.Give(len(f.Text))
		} else {
			o.written += len(f.Text)
		}
	}
	o.frames, o.presence, o.ping, o.pong = o.frames[n:], nil, false, nil
	return next, 0, true
}
