package live

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/crowd"
	"chatapp/chat/internal/feed"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/wire"
)

// shared is what all sessions of this server use. None of it is one session's.
type shared struct {
	name     string     // of this server, in welcome
	posts    limit.Rate // of one session
	service  *chat.Service
	feed     *feed.Feed
	members  *crowd.Members
	presence *crowd.Presence
	metrics  *Metrics
	logger   *slog.Logger
}

// session is one client's connection. Its state belongs to the goroutine that
// runs it, the only reader of the socket; out is the only way to the client
// and may be used by any goroutine.
type session struct {
	*shared
	conn       *websocket.Conn
	out        outbox
	pingSecond int          // the second of pingPeriod in which it is pinged
	place      *crowd.Place // among the connections of this server

	principal    chat.Principal
	greeted      bool // said hello
	interest     feed.Interest
	subscription *feed.Subscription // nil: catching up, or not asked for yet
	rate         limit.Bucket       // of its posts
	bad          limit.Bucket       // of its bad frames and messages
	slots        chan struct{}      // one for each post under way; nil until the first
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

	// lingerBytes is how much of what a leaving client still sends is read.
	lingerBytes = 1 << 20
)

var badFrameRate = limit.Rate{PerSecond: 1 / badFramePeriod.Seconds(), Burst: badFrames}

var readBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// run reads until the socket ends. ctx ends when the server has let the
// session go.
func (s *session) run(ctx context.Context) {
	s.conn.SetReadLimit(wire.MaxFrame)
	s.conn.SetPongHandler(func(string) error { s.alive(); return nil })
	s.conn.SetPingHandler(func(payload string) error { s.out.Pong(payload); s.alive(); return nil })
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
		_ = w.CloseWrite() // fails only on a socket that is gone
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
	s.out.Close(code)
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
		s.greeted = true
		s.members.Greet(s.place)
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
		return s.subscribe(ctx, f.Topics, "", wire.DefaultLimit)
	case wire.Post:
		return s.post(ctx, f.Draft)
	case wire.History:
		s.history(ctx, f)
	}
	return nil
}

func badFrame(text string) *chat.Error { return &chat.Error{Code: chat.CodeBadFrame, Message: text} }

// refuse answers a bad frame; one too many ends the session.
func (s *session) refuse(bad *wire.Unreadable) error {
	s.metrics.badFrames.Inc()
	if s.bad.Take(badFrameRate) > 0 {
		s.end(wire.CloseTooManyBadFrames)
		return errEnded
	}
	s.fail(bad.Err, bad.Key, bad.Ref)
	return nil
}

func (s *session) fail(err *chat.Error, key, ref string) {
	if err.Code == chat.CodeInternal {
		s.logger.Error("a session's request failed", "error", err)
	}
	s.out.Answer(&wire.Frame{Text: wire.AppendError(nil, err, key, ref)})
}
