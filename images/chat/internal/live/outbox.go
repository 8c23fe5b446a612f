package live

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/wire"
)

// frame is the text of one frame, shared by every session that gets it. A
// messages frame can be joined with the next one: text[from:to] is the inside
// of its list.
type frame struct {
	text     []byte
	from, to int // 0, 0: a frame that stands alone
	cursor   string
}

func (f *frame) joinable() bool { return f.to > 0 }

// newMessages makes the one frame that all subscribers of these items share.
func newMessages(items []item, cursor string) *frame {
	parts := make([][]byte, len(items))
	size := 0
	for i, it := range items {
		parts[i] = it.json
		size += len(it.json) + 1
	}
	text := wire.AppendMessages(make([]byte, 0, size+len(cursor)+64), parts, cursor)
	from := len(`{"type":"messages","messages":[`)
	return &frame{text: text, from: from, to: from + size - 1, cursor: cursor}
}

// outbox is what waits to be written to one session, in order. Any goroutine
// may push; none of them ever waits for the socket. While there is something
// to write, one goroutine writes it (flush); while there is nothing, none
// exists, so an idle session costs its reader alone. What gathers during a
// write goes out with the next one: several messages in one frame.
type outbox struct {
	conn    *websocket.Conn
	limit   int // bytes of live frames that may wait
	metrics *Metrics

	mu       sync.Mutex
	frames   []waiting
	live     int            // bytes of frames that nobody asked for
	answers  int            // bytes of frames that the client asked for
	presence *frame         // only the newest matters
	ping     bool           // a ping is due
	pong     []byte         // the newest ping of the client, to be answered
	closing  wire.CloseCode // not 0: write what waits, then this
	flushing bool           // the goroutine exists
	dead     bool           // the socket is gone; pushes are dropped
	empty    chan struct{}  // not nil: somebody waits for it to be closed when all is written
}

const (
	// writeWait is how long one write may take before the client counts as gone.
	writeWait = 10 * time.Second
	// goodbyeWait is how long a client that is told to go has to take what
	// it was sent, and then again to answer. With room in the socket's buffer
	// (goodbyeBuffer) the first takes no time. Twice it is within the 5 s in
	// which a slow reader has to be closed.
	goodbyeWait = 2 * time.Second
	// maxJoined is how large a frame may grow by joining.
	maxJoined = 32 << 10
	// sendBuffer is the socket's send buffer in bytes (the kernel takes
	// double): what a slow reader costs beside its outbox. goodbyeBuffer is
	// what it is raised to when the session is closed for slowness, so that
	// the frame under way (at most maxJoined, or one message) and the close
	// frame have room, and the client finds the reason when it reads again.
	// 208 KiB is Linux's default net.core.wmem_max.
	sendBuffer    = 64 << 10
	goodbyeBuffer = 208 << 10
)

// waiting is a frame in the queue.
type waiting struct {
	*frame
	live bool // nobody asked for it just now: it counts against the limit
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

// push queues a frame that answers the client. It does not count against the
// limit; but when too much of what it asked for waits (full), its reader asks
// for no more of its frames.
func (o *outbox) push(f *frame) {
	o.add(func() {
		o.frames = append(o.frames, waiting{f, false})
		o.answers += len(f.text)
	})
}

// full reports whether the client has to take answers before it is heard again.
func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answers > o.limit
}

// pushLive queues messages that nobody asked for just now. If too many wait,
// the client is too slow: what waits is dropped, and the session closes with
// wire.CloseTooSlow.
func (o *outbox) pushLive(f *frame) {
	o.add(func() {
		if o.live+len(f.text) > o.limit {
			o.metrics.slow.Inc()
			o.metrics.closed(wire.CloseTooSlow)
			o.frames, o.live, o.answers = nil, 0, 0
			o.goodbye(wire.CloseTooSlow)
			return
		}
		o.frames = append(o.frames, waiting{f, true})
		o.live += len(f.text)
	})
}

// pushPresence queues the number online, in place of one not yet written.
func (o *outbox) pushPresence(f *frame) {
	o.add(func() { o.presence = f })
}

// pushPing queues a ping.
func (o *outbox) pushPing() {
	o.add(func() { o.ping = true })
}

// pushPong queues the answer to a ping. RFC 6455, 5.5.3: that to the most
// recent one is enough.
func (o *outbox) pushPong(payload string) {
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

// close lets what waits be written, then the close frame.
func (o *outbox) close(code wire.CloseCode) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing == 0 {
		o.goodbye(code)
	}
}

// goodbye hastens a write under way: a slow reader has goodbyeWait, and more
// room in the socket's buffer, to let it end. Whatever happens, the reader
// ends the session when its own deadline passes.
func (o *outbox) goodbye(code wire.CloseCode) {
	o.closing, o.presence, o.ping, o.pong = code, nil, false, nil
	if o.dead {
		return
	}
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
	o.dead, o.frames, o.live, o.answers, o.presence = true, nil, 0, 0, nil
	o.signalEmpty()
}

// ended reports whether the session is closed or closing.
func (o *outbox) ended() bool {
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

func (o *outbox) start() {
	if !o.flushing && !o.dead {
		o.flushing = true
		go o.flush()
	}
}

// flush writes until nothing waits. It is the only writer of the socket.
func (o *outbox) flush() {
	for {
		o.mu.Lock()
		n := joinCount(o.frames)
		due := due{frames: o.frames[:n:n], presence: o.presence, ping: o.ping, pong: o.pong}
		closing, idle := o.closing, n == 0 && due.presence == nil && !due.ping && due.pong == nil
		if o.dead || idle && closing == 0 {
			o.flushing, o.frames = false, nil
			o.signalEmpty()
			o.mu.Unlock()
			return
		}
		for _, f := range due.frames {
			if f.live {
				o.live -= len(f.text)
			} else {
				o.answers -= len(f.text)
			}
		}
		o.frames, o.presence, o.ping, o.pong = o.frames[n:], nil, false, nil
		o.mu.Unlock()

		err := o.write(due)
		if idle && err == nil {
			err = o.writeClose(closing)
			o.kill() // the reader waits for the client's answer, as long as goodbye lets it
		}
		if err != nil {
			o.kill()
			_ = o.conn.NetConn().Close() // the reader notices and ends the session
		}
	}
}

// due is what one turn of flush writes.
type due struct {
	frames   []waiting // to be joined
	presence *frame
	ping     bool
	pong     []byte
}

// joinCount is how many of the first frames go out as one.
func joinCount(frames []waiting) int {
	if len(frames) == 0 || !frames[0].joinable() {
		return min(len(frames), 1)
	}
	n, size := 0, 0
	for n < len(frames) && frames[n].joinable() && (n == 0 || size+len(frames[n].text) <= maxJoined) {
		size += len(frames[n].text)
		n++
	}
	return n
}

func (o *outbox) write(d due) error {
	if len(d.frames) > 0 {
		if err := o.writeJoined(d.frames); err != nil {
			return err
		}
	}
	if d.presence != nil {
		if err := o.writeText(d.presence.text); err != nil {
			return err
		}
	}
	if d.pong != nil {
		if err := o.conn.WriteControl(websocket.PongMessage, d.pong, time.Now().Add(writeWait)); err != nil {
			return err
		}
	}
	if d.ping {
		return o.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait))
	}
	return nil
}

var joinBuffers = sync.Pool{New: func() any { b := make([]byte, 0, maxJoined+4<<10); return &b }}

func (o *outbox) writeJoined(frames []waiting) error {
	if frames[len(frames)-1].live {
		o.metrics.frames.Inc()
	}
	if len(frames) == 1 {
		return o.writeText(frames[0].text)
	}
	buf := joinBuffers.Get().(*[]byte)
	defer joinBuffers.Put(buf)
	parts := make([][]byte, len(frames))
	for i, f := range frames {
		parts[i] = f.text[f.from:f.to]
	}
	*buf = wire.AppendMessages((*buf)[:0], parts, frames[len(frames)-1].cursor)
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
