package live

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/wire"
)

var readBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// run reads until the socket ends. ctx ends when the server has let the
// session go.
func (s *session) run(ctx context.Context) {
	s.conn.SetReadLimit(wire.MaxFrame)
	s.conn.SetPongHandler(func(string) error { s.alive(); return nil })
	s.conn.SetPingHandler(func(payload string) error { s.out.Pong(payload); s.alive(); return nil })
	s.out.extend(helloWait)
	for {
		if room, full := s.out.full(); full {
			s.patiently(context.Background(), room) // the end of the socket ends it
			if s.out.Ended() {
				<-s.out.drained() // goodbye bounds this
				s.linger()
				return
			}
		}
		err := s.readFrame(ctx)
		if err == nil {
			continue
		}
		switch {
		case isTimeout(err) && s.greeted:
			return // it is gone, or the time that goodbye set is over
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

// patiently waits until something has happened that depends on the client
// reading what it is sent, or until ctx ends. A client that takes nothing
// between two looks, takeWait apart, is closed with 4001; goodbye bounds how
// long that takes. The first look is takeWait after the beginning: what waited
// then may or may not have been taken up for writing at the beginning.
func (s *session) patiently(ctx context.Context, happened <-chan struct{}) {
	timer := time.NewTimer(takeWait)
	defer timer.Stop()
	for before := -1; ; {
		select {
		case <-happened:
			return
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := s.out.progress()
		if now == before {
			s.out.TooSlow()
		}
		before = now
		timer.Reset(takeWait)
	}
}

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
	switch f.(type) {
	case wire.Hello, wire.Subscribe, wire.History:
		return apart(func() error { return s.handle(ctx, f) })
	default:
		return s.handle(ctx, f)
	}
}

// apart runs do on a goroutine of its own and waits for its end. What looks
// through the log needs a deep stack for a moment; the session's goroutine, which
// mostly waits, would keep it: 3 KiB for each connection.
func apart(do func() error) error {
	done := make(chan error)
	go func() { done <- do() }()
	return <-done
}

// handle serves one frame. Its error ends the session.
func (s *session) handle(ctx context.Context, f any) error {
	if hello, ok := f.(wire.Hello); ok {
		if s.greeted {
			return s.refuse(&wire.Unreadable{Err: badFrame("hello: say it once; use subscribe to change topics")})
		}
		return s.hello(ctx, hello)
	}
	if !s.greeted {
		early := &wire.Unreadable{Err: badFrame("hello: send it first")}
		switch f := f.(type) {
		case wire.Post:
			early.Key = wire.Echo(f.Draft.Key)
		case wire.Vote:
			early.Key = wire.Echo(f.Key)
		case wire.History:
			early.Ref = wire.Echo(f.Ref)
		}
		return s.refuse(early)
	}
	switch f := f.(type) {
	case wire.Subscribe:
		if err := s.unseen(f.Topics); err != nil {
			s.fail(err, "", "")
			return nil
		}
		matcher, bad := s.compile(f.Filter)
		if bad != nil {
			s.fail(bad, "", "")
			return nil
		}
		if wait := s.askToo(); wait > 0 {
			s.fail(limit.TooMany(wait), "", "")
			return nil
		}
		return s.subscribe(ctx, f.Topics, matcher, "", wire.DefaultLimit)
	case wire.Post:
		return s.post(ctx, f)
	case wire.Vote:
		return s.vote(ctx, f)
	case wire.History:
		s.history(ctx, f)
	}
	return nil
}
