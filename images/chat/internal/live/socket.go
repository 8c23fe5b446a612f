package live

import (
	"errors"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/wire"
)

const (
	// goodbyeWait is how long a client that is told to go has to take what
	// it was sent, and then again to answer. With room in the socket's buffer
	// (goodbyeBuffer) the first takes no time. Twice it is within the 5 s in
	// which a slow reader has to be closed.
	goodbyeWait = 2 * time.Second
	// sendBuffer is the socket's send buffer in bytes; the kernel takes double.
	// So much memory a slow reader takes beside its outbox. goodbyeBuffer is
	// what it is raised to when the session is closed for slowness, so that the
	// frame under way (at most maxJoined, or one message) and the close frame
	// have room, and the client finds the reason when it reads again. 208 KiB
	// is Linux's default net.core.wmem_max.
	sendBuffer    = 48 << 10
	goodbyeBuffer = 208 << 10
	// writeWait is how long one write may take before the client counts as
	// gone. takeWait is how long a client may take nothing while its session
	// waits for it. The session looks once in takeWait, so it notices within
	// twice that. This is before the write fails, so the close frame can still
	// be sent.
	writeWait = 10 * time.Second
	takeWait  = 4 * time.Second
	// maxJoined is how large a frame may grow by joining, in bytes.
	maxJoined = 32 << 10
)

// socket writes frames. One goroutine at a time uses it.
type socket struct {
	conn    *websocket.Conn
	metrics *Metrics
}

// waiting is a frame in the queue.
type waiting struct {
	*wire.Frame
	delivery bool // counts among deliveries, not answers
	whisper  bool // ephemeral messages
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

func (s *socket) write(l load) error {
	if len(l.frames) > 0 {
		if err := s.writeJoined(l.frames); err != nil {
			return err
		}
	}
	if l.presence != nil {
		if err := s.writeText(l.presence.Text); err != nil {
			return err
		}
	}
	if l.pong != nil {
		if err := s.conn.WriteControl(websocket.PongMessage, l.pong, time.Now().Add(writeWait)); err != nil {
			return err
		}
	}
	if l.ping {
		return s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
	}
	return nil
}

var joinBuffers = sync.Pool{New: func() any { b := make([]byte, 0, maxJoined+4<<10); return &b }}

func (s *socket) writeJoined(frames []waiting) error {
	if frames[len(frames)-1].delivery {
		s.metrics.frames.Inc()
	}
	if len(frames) == 1 {
		return s.writeText(frames[0].Text)
	}
	buf := joinBuffers.Get().(*[]byte)
	defer joinBuffers.Put(buf)
	parts := make([][]byte, len(frames))
	for i, f := range frames {
		parts[i] = f.Messages()
	}
	*buf = wire.AppendMessages((*buf)[:0], parts, frames[len(frames)-1].Cursor())
	return s.writeText(*buf)
}

func (s *socket) writeText(text []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, text)
}

func (s *socket) writeClose(code wire.CloseCode) error {
	return s.conn.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(int(code), code.Reason()), time.Now().Add(goodbyeWait))
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}
