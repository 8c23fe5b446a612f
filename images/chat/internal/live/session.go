package live

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// session is one client's connection. Its state belongs to the goroutine that
// runs it, the only reader of the socket; out is the only way to the client
// and may be used by any goroutine. topics is written before the hub knows
// the session, and again only while the hub does not.
type session struct {
	live *Sessions
	conn *websocket.Conn
	out  outbox

	principal chat.Principal
	greeted   bool // said hello; with welcomed, guarded by live.mu for other goroutines
	welcomed  bool // was answered
	moved     bool // was asked to connect elsewhere; live.mu
	told      int  // the number online in its last presence frame; live.mu, like toldAt
	toldAt    time.Time
	topics    chat.TopicSet
	posts     *rate.Limiter // nil until the first post: an idle session pays nothing
	bad       *rate.Limiter // nil until the first post or bad frame
	slots     chan struct{} // one for each post under way; nil until the first
	turn      int           // the second of pingPeriod in which it is pinged
}

const (
	// helloWait is how long a client may take to say hello.
	helloWait = 10 * time.Second
	// idleWait is how long a client may say nothing, not even a pong.
	// pingPeriod leaves it time to miss one ping.
	idleWait   = 60 * time.Second
	pingPeriod = 25 * time.Second

	// badFrames is how many frames in a row may be unreadable, or posts that
	// nobody could accept; one more is forgiven every badFramePeriod.
	badFrames      = 20
	badFramePeriod = 3 * time.Second

	// postsUnderWay is how many posts of one session may wait for their
	// answer. Past that its frames are read no further until one is answered.
	postsUnderWay = 64
	// historyWait bounds one question for history.
	historyWait = 5 * time.Second
	// lingerBytes is how much of what a leaving client still sends is read.
	lingerBytes = 1 << 20
)

var readBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// run reads until the socket ends. ctx ends when the server has let the
// session go.
func (s *session) run(ctx context.Context) {
	s.conn.SetReadLimit(wire.MaxFrame)
	s.conn.SetPongHandler(func(string) error { s.alive(); return nil })
	s.conn.SetPingHandler(func(payload string) error { s.out.pushPong(payload); s.alive(); return nil })
	s.out.extend(helloWait)
	for {
		if s.out.full() {
			<-s.out.drained() // the writer's deadline ends it, if the client does not
		}
		err := s.readFrame(ctx)
		if err == nil {
			continue
		}
		switch {
		case isTimeout(err) && s.greeted:
			return // it is gone, or has had the time that goodbye lets it
		case isTimeout(err):
			s.end(wire.CloseNoHello)
		case errors.Is(err, websocket.ErrReadLimit):
			s.end(wire.CloseTooBig) // gorilla has said so already, but not to a length over 63 bits
		}
		if !websocket.IsUnexpectedCloseError(err) {
			s.linger()
		}
		return
	}
}

// linger reads, and drops, what the client was still sending when it was told
// to go. A socket closed with unread data is reset, and the client might lose
// the close frame.
func (s *session) linger() {
	raw := s.conn.NetConn()
	if w, ok := raw.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite() // an error means that nothing is left to be polite to
	}
	_ = raw.SetReadDeadline(time.Now().Add(goodbyeWait))
	_, _ = io.CopyN(io.Discard, raw, lingerBytes)
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}

// alive gives the client idleWait more. Before hello only hello counts.
func (s *session) alive() {
	if s.greeted {
		s.out.extend(idleWait)
	}
}

// end closes the session from its own goroutine, when nothing more is read.
func (s *session) end(code wire.CloseCode) {
	s.live.metrics.closed(code)
	s.out.close(code)
	<-s.out.drained()
}

// errEnded ends the loop of run after the session has closed itself.
var errEnded = errors.New("session ended")

func (s *session) readFrame(ctx context.Context) error {
	kind, r, err := s.conn.NextReader()
	if err != nil {
		return err
	}
	buf := readBuffers.Get().(*bytes.Buffer)
	defer readBuffers.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(r); err != nil {
		return err
	}
	switch {
	case kind != websocket.TextMessage:
		s.end(wire.CloseUnsupportedData)
		return errEnded
	case !utf8.Valid(buf.Bytes()):
		s.end(wire.CloseInvalidPayload)
		return errEnded
	}
	s.alive()
	f, bad := wire.Decode(buf.Bytes())
	if bad != nil {
		return s.refuse(bad)
	}
	return s.handle(ctx, f)
}

// handle serves one frame. Its error ends the session.
func (s *session) handle(ctx context.Context, f any) error {
	if hello, ok := f.(wire.Hello); ok {
		if s.greeted {
			return s.refuse(&wire.Unreadable{Err: badFrame("hello: say it once; use subscribe to change topics")})
		}
		s.live.greet(s)
		s.alive()
		return s.subscribe(ctx, hello.Topics, hello.Cursor, hello.Limit)
	}
	if !s.greeted {
		early := &wire.Unreadable{Err: badFrame("hello: send it first")}
		switch f := f.(type) {
		case wire.Post:
			early.Key = wire.Echo(f.Draft.Key)
		case wire.History:
			early.Ref = wire.Echo(f.Ref)
		}
		return s.refuse(early)
	}
	switch f := f.(type) {
	case wire.Subscribe:
		s.live.hub.detach(s)
		return s.subscribe(ctx, f.Topics, "", wire.DefaultLimit)
	case wire.Post:
		s.post(f.Draft)
	case wire.History:
		s.history(ctx, f)
	}
	return nil
}

func badFrame(text string) *chat.Error { return &chat.Error{Code: chat.CodeBadFrame, Message: text} }

// refuse answers a bad frame; one too many ends the session.
func (s *session) refuse(bad *wire.Unreadable) error {
	s.live.metrics.badFrames.Inc()
	if !s.badFrames().Allow() {
		s.end(wire.CloseTooManyBadFrames)
		return errEnded
	}
	s.fail(bad.Err, bad.Key, bad.Ref)
	return nil
}

// badFrames counts what the session is closed for when it is too much: answers
// with the codes bad_frame and bad_message. Only the reader calls it; the
// limiter it gives may be used by any goroutine.
func (s *session) badFrames() *rate.Limiter {
	if s.bad == nil {
		s.bad = rate.NewLimiter(rate.Every(badFramePeriod), badFrames)
	}
	return s.bad
}

func (s *session) fail(err *chat.Error, key, ref string) {
	if err.Code == chat.CodeInternal {
		s.live.logger.Error("a session's request failed", "error", err)
	}
	s.out.push(&frame{text: wire.AppendError(nil, err, key, ref)})
}

// post hands the draft to the service and returns; the answer comes from the
// service's writer. Answers come in the order of the posts of a topic.
func (s *session) post(d chat.Draft) {
	if wait := s.live.throttle(&s.posts); wait > 0 {
		s.live.metrics.posts("rate_limited")
		s.fail(TooFast(wait), wire.Echo(d.Key), "")
		return
	}
	if s.slots == nil {
		s.slots = make(chan struct{}, postsUnderWay)
	}
	bad := s.badFrames()
	s.slots <- struct{}{} // each is given back: PostFunc answers always
	s.live.service.PostFunc(s.principal, d, func(m chat.Message, duplicate bool, err error) {
		if err != nil {
			e := chat.AsError(err)
			s.live.metrics.posts(string(e.Code))
			if e.Code == chat.CodeBadMessage && !bad.Allow() {
				s.live.metrics.closed(wire.CloseTooManyBadFrames)
				s.out.close(wire.CloseTooManyBadFrames)
			} else {
				s.fail(e, wire.Echo(d.Key), "")
			}
		} else {
			s.live.metrics.posted(duplicate)
			s.out.push(&frame{text: wire.AppendAck(nil, d.Key, m.ID)})
		}
		<-s.slots
	})
}

func (s *session) history(ctx context.Context, h wire.History) {
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	page, err := s.live.service.History(ctx, s.principal, h.Topics, h.Before, h.Limit)
	if err != nil {
		s.fail(chat.AsError(err), "", h.Ref)
		return
	}
	s.out.push(&frame{text: wire.AppendHistory(nil, h.Ref, page)})
}
