package live

import (
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/crowd"
	"chatapp/chat/internal/feed"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/wire"
)

// shared is what all sessions of this server use.
type shared struct {
	name     string       // of this server, in welcome
	posts    limit.Rate   // of one session
	reads    limit.Rate   // of one session: history and subscribe
	features []string     // in welcome
	guests   bool         // may connect
	people   *people.View // nil: nobody can sign in
	rooms    *roomBell
	service  *chat.Service
	feed     *feed.Feed
	members  *crowd.Members
	presence *crowd.Presence
	metrics  *Metrics
	logger   *slog.Logger

	sourceReads *limit.Keyed // reads by source, shared with HTTP; nil: no limit
}

// session is one client's connection. Its state belongs to the goroutine that
// runs it, the only reader of the socket; out is the only way to the client
// and may be used by any goroutine.
type session struct {
	*shared
	conn       *websocket.Conn
	out        outbox
	source     string       // where it comes from, for limits
	pingSecond int          // the second of pingPeriod in which it is pinged
	place      *crowd.Place // among the connections of this server

	seat         *people.Seat // of whoever is signed in; nil: a guest
	greeted      bool         // said hello
	interest     feed.Interest
	subscription atomic.Pointer[feed.Subscription] // nil: catching up, or not asked for yet
	roomsAt      atomic.Int64                      // when the rooms were told last; 0: not before the first welcome
	rate         limit.Bucket                      // of its posts
	asked        limit.Bucket                      // of its reads
	bad          limit.Bucket                      // of its bad frames and messages
	slots        chan struct{}                     // one for each post under way; nil until the first
}

const (
	// helloWait is how long a client may take to say hello.
	helloWait = 10 * time.Second
	// idleWait is how long a client may say nothing, not even a pong.
	// pingPeriod leaves it time to miss one ping.
	idleWait   = 60 * time.Second
	pingPeriod = 25 * time.Second

	// badFrames is how many frames may be unreadable, or posts invalid, at
	// once. One more is allowed every badFramePeriod.
	badFrames      = 20
	badFramePeriod = 3 * time.Second

	// lingerBytes is how much of what a leaving client still sends is read.
	// It is more than the kernel holds for a socket that was not read.
	lingerBytes = 16 << 20
)

var badFrameRate = limit.Rate{PerSecond: 1 / badFramePeriod.Seconds(), Burst: badFrames}

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
