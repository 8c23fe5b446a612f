package live

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/wire"
)

const (
	// writeWait is how long one write may take before the client counts as gone.
	writeWait = 10 * time.Second
	// maxJoined is how large a frame may grow by joining, in bytes.
	maxJoined = 32 << 10
)

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
		if err != nil {
			o.kill()
			_ = o.conn.NetConn().Close() // the reader notices and ends the session
		}
	}
}

// load is what one turn of flush writes.
type load struct {
	frames   []waiting // to be joined
	presence *wire.Frame
	ping     bool
	pong     []byte
}

func (l *load) isEmpty() bool {
	return len(l.frames) == 0 && l.presence == nil && !l.ping && l.pong == nil
}

// take takes what is to be written next. closing is not 0 when that is nothing
// but the close frame. Without more, the goroutine counts as ended.
func (o *outbox) take() (next load, closing wire.CloseCode, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
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
			o.answers.Give(len(f.Text))
		}
	}
	o.frames, o.presence, o.ping, o.pong = o.frames[n:], nil, false, nil
	return next, 0, true
}

// joinCount is how many of the first frames go out as one.
func joinCount(frames []waiting) int {
	if len(frames) == 0 || !frames[0].Joinable() {
		return min(len(frames), 1)
	}
	n, size := 0, 0
	for n < len(frames) && frames[n].Joinable() && (n == 0 || size+len(frames[n].Text) <= maxJoined) {
		size += len(frames[n].Text)
		n++
	}
	return n
}

func (o *outbox) write(l load) error {
	if len(l.frames) > 0 {
		if err := o.writeJoined(l.frames); err != nil {
			return err
		}
	}
	if l.presence != nil {
		if err := o.writeText(l.presence.Text); err != nil {
			return err
		}
	}
	if l.pong != nil {
		if err := o.conn.WriteControl(websocket.PongMessage, l.pong, time.Now().Add(writeWait)); err != nil {
			return err
		}
	}
	if l.ping {
		return o.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
	}
	return nil
}

var joinBuffers = sync.Pool{New: func() any { b := make([]byte, 0, maxJoined+4<<10); return &b }}

func (o *outbox) writeJoined(frames []waiting) error {
	if frames[len(frames)-1].delivery {
		o.metrics.frames.Inc()
	}
	if len(frames) == 1 {
		return o.writeText(frames[0].Text)
	}
	buf := joinBuffers.Get().(*[]byte)
	defer joinBuffers.Put(buf)
	parts := make([][]byte, len(frames))
	for i, f := range frames {
		parts[i] = f.Messages()
	}
	*buf = wire.AppendMessages((*buf)[:0], parts, frames[len(frames)-1].Cursor())
	return o.writeText(*buf)
}

func (o *outbox) writeText(text []byte) error {
	if err := o.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	return o.conn.WriteMessage(websocket.TextMessage, text)
}

func (o *outbox) writeClose(code wire.CloseCode) error {
	return o.conn.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(int(code), code.Reason()), time.Now().Add(goodbyeWait))
}
