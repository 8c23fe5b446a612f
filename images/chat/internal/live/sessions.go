// Package live holds this pod's sockets: it accepts them, runs a session for
// each, feeds them from the log, counts who is there, and lets them go. It is
// the only owner of gorilla/websocket.
package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// Config of Sessions.
type Config struct {
	Name           string        // of this server, in welcome
	Pace           time.Duration // least time between two deliveries under load
	QueueBytes     int           // that may wait for one slow reader
	PostRate       float64       // posts per second of one session; 0: no limit
	PostBurst      int
	MaxConnections int      // 0: no limit
	Origins        []string // allowed beside the server's own host; "*": any

	BalanceAbove float64 // times the mean of all servers, above which clients are moved away; 0: never

	DrainSettle time.Duration // from readyz 503 to the first bye
	DrainSpread time.Duration // over which the byes are spread
	DrainLeave  time.Duration // from a client's bye to its close
}

// Sessions accepts and serves WebSocket connections. Its methods are safe for
// use by many goroutines.
type Sessions struct {
	Config
	service *chat.Service
	logger  *slog.Logger
	metrics *Metrics
	hub     *hub
	feed    *feed
	// presence counts people over all servers.
	presence *presence
	upgrader websocket.Upgrader

	ctx     context.Context // of all sessions and loops
	cancel  context.CancelFunc
	loops   sync.WaitGroup
	served  sync.WaitGroup // one for each session
	closing sync.Once

	mu          sync.Mutex
	sessions    map[*session]struct{}
	connections int  // of them, and those being upgraded
	accepted    int  // ever
	greeted     int  // said hello
	leaving     bool // no new connections
	stopping    bool // readyz says no
}

// Buffers of one connection, in bytes. Nearly all frames of clients fit
// readBuffer; larger ones are read in pieces. The write buffer is borrowed
// from a pool for each write and holds the header only: payloads go to the
// kernel from where they are.
const (
	readBuffer  = 512
	writeBuffer = 256
)

// New makes Sessions and starts its loops; Close ends them.
func New(c Config, service *chat.Service, presence chat.Presence, metrics *Metrics, logger *slog.Logger) *Sessions {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Sessions{
		Config: c, service: service, metrics: metrics, logger: logger.With("component", "live"),
		ctx: ctx, cancel: cancel,
		hub:      newHub(service.Partitions(), metrics),
		sessions: map[*session]struct{}{},
	}
	l.upgrader = websocket.Upgrader{
		HandshakeTimeout: writeWait,
		ReadBufferSize:   readBuffer,
		WriteBufferSize:  writeBuffer,
		WriteBufferPool:  &sync.Pool{},
		Subprotocols:     []string{wire.Subprotocol},
		CheckOrigin:      l.originAllowed,
	}
	l.feed = &feed{
		service: service, hub: l.hub, logger: l.logger, pace: c.Pace, metrics: metrics,
		onLost: func() { l.closeAll(wire.CloseGoingAway) },
	}
	l.presence = newPresence(c.Name, presence, l, metrics)
	l.loops.Go(func() { l.feed.run(ctx) })
	l.loops.Go(func() { l.presence.run(ctx) })
	l.loops.Go(func() { l.balance(ctx) })
	l.loops.Go(func() { l.pingAll(ctx) })
	return l
}

// Close closes every session that is still there, with 1001, and waits for
// the loops and sessions to end. Drain comes before it where there is time.
// A second Close does nothing.
func (l *Sessions) Close() { l.closing.Do(l.close) }

func (l *Sessions) close() {
	l.mu.Lock()
	l.leaving, l.stopping = true, true
	l.mu.Unlock()
	l.closeAll(wire.CloseGoingAway)
	l.served.Wait()
	l.presence.leave()
	l.cancel()
	l.loops.Wait()
}

// originAllowed lets in browsers whose page is this server's own or one that
// is listed, and everything that is not a browser (no Origin).
func (l *Sessions) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host) ||
		slices.ContainsFunc(l.Origins, func(o string) bool { return o == "*" || strings.EqualFold(o, origin) })
}

// Accept upgrades a request and starts its session, or returns the HTTP status
// and the error to answer with; nothing has been written then. It returns as
// soon as the session runs, so that net/http frees what it holds for a request.
func (l *Sessions) Accept(w http.ResponseWriter, r *http.Request) (status int, _ *chat.Error) {
	if !l.reserve() {
		l.metrics.refused.Inc()
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
		return http.StatusServiceUnavailable, &chat.Error{
			Code: chat.CodeUnavailable, Message: "this server takes no more connections now; try again in a moment",
			RetryAfter: retryAfterSeconds * time.Second,
		}
	}
	if !websocket.IsWebSocketUpgrade(r) || r.Header.Get("Sec-Websocket-Version") != "13" {
		l.release(nil)
		h := w.Header()
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
		h.Set("Sec-Websocket-Version", "13")
		return http.StatusUpgradeRequired, &chat.Error{Code: chat.CodeBadFrame, Message: "open a WebSocket here (RFC 6455, version 13)"}
	}
	upgrader := l.upgrader // a copy, for its Error is of this request
	upgrader.Error = func(_ http.ResponseWriter, _ *http.Request, code int, _ error) { status = code }
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		l.release(nil)
		if status == 0 { // after the hijack there is nobody to answer
			return 0, nil
		}
		return status, &chat.Error{Code: chat.CodeBadFrame, Message: "open a WebSocket here (RFC 6455), from an allowed origin: " + err.Error()}
	}
	s := &session{live: l, conn: conn, principal: chat.Guest}
	s.out = outbox{conn: conn, limit: l.QueueBytes, metrics: l.metrics}
	if b, ok := conn.NetConn().(interface{ SetWriteBuffer(int) error }); ok {
		_ = b.SetWriteBuffer(sendBuffer) // only more memory than meant
	}
	l.adopt(s)
	go l.serve(s)
	return 0, nil
}

// retryAfterSeconds is what a client that finds the server full is told.
const retryAfterSeconds = 2

// reserve counts a connection that is about to be, if there is room.
func (l *Sessions) reserve() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaving || l.MaxConnections > 0 && l.connections >= l.MaxConnections {
		return false
	}
	l.connections++
	l.served.Add(1)
	l.metrics.connections.Set(float64(l.connections))
	return true
}

// release undoes reserve, and forgets the session if there was one.
func (l *Sessions) release(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connections--
	l.metrics.connections.Set(float64(l.connections))
	if s != nil {
		delete(l.sessions, s)
		if s.greeted {
			l.greeted--
			l.presence.changed()
		}
	}
	l.served.Done()
}

// adopt makes the session known to drain and ping. One that is accepted while
// the server leaves is told so at once.
func (l *Sessions) adopt(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	s.turn = l.accepted % int(pingPeriod/time.Second)
	l.sessions[s] = struct{}{}
	if l.leaving {
		s.out.close(wire.CloseGoingAway)
	}
}

// greet counts the session among the people online.
func (l *Sessions) greet(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.greeted = true
	l.greeted++
	l.presence.changed()
}

// welcome lets the session have presence frames from now on.
func (l *Sessions) welcome(s *session) {
	online := l.presence.online()
	l.mu.Lock()
	s.welcomed, s.told, s.toldAt = true, online, time.Now()
	l.mu.Unlock()
	s.out.pushPresence(presenceFrame(online))
}

func (l *Sessions) serve(s *session) {
	s.run(l.ctx)
	l.hub.detach(s)
	s.out.kill()
	_ = s.conn.Close() // nothing is left to be lost
	l.release(s)
}

// Online is the number of people connected to this server.
func (l *Sessions) Online() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.greeted
}

// crowd is what this server says of itself: its people, and whether it takes more.
func (l *Sessions) crowd() (people int, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.greeted, !l.stopping
}

// all gives the sessions of this moment.
func (l *Sessions) all() []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.sessions))
}

// untold gives the sessions that were answered their hello and were last told
// another number online, and notes that they are told now. Those told less
// than presenceGap ago are left for later.
func (l *Sessions) untold(online int) (due []*session, later bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for s := range l.sessions {
		switch {
		case !s.welcomed || s.told == online:
		case now.Sub(s.toldAt) < presenceGap:
			later = true
		default:
			s.told, s.toldAt = online, now
			due = append(due, s)
		}
	}
	return due, later
}

func (l *Sessions) closeAll(code wire.CloseCode) {
	for _, s := range l.all() {
		l.metrics.closed(code)
		s.out.close(code)
	}
}

// pingAll pings every session once in pingPeriod, a part of them each second,
// so that an idle session needs no timer and no goroutine for it.
func (l *Sessions) pingAll(ctx context.Context) {
	for second := 0; pause(ctx, time.Second); second++ {
		for _, s := range l.all() {
			if s.turn == second%int(pingPeriod/time.Second) {
				s.out.pushPing()
			}
		}
	}
}

// throttle takes a post from a limiter, made at the first, or says how long to
// wait instead. Not for concurrent use with one limiter.
func (l *Sessions) throttle(limiter **rate.Limiter) time.Duration {
	if l.PostRate <= 0 {
		return 0
	}
	if *limiter == nil {
		*limiter = rate.NewLimiter(rate.Limit(l.PostRate), max(1, l.PostBurst))
	}
	r := (*limiter).Reserve()
	wait := r.Delay()
	if wait > 0 {
		r.Cancel()
	}
	return wait
}

// TooFast is the answer to a post over the limit.
func TooFast(wait time.Duration) *chat.Error {
	return &chat.Error{
		Code: chat.CodeRateLimited, Message: "too many posts: wait a moment, then send it again with the same key",
		RetryAfter: wait,
	}
}

// Ready says why no new client should be sent here (nil: it should). A log
// that has been away for less than tolerance does not count: if it did, an
// outage of the log would take every pod, and the page with them, away.
func (l *Sessions) Ready(tolerance time.Duration) error {
	l.mu.Lock()
	stopping := l.stopping
	l.mu.Unlock()
	if stopping {
		return errors.New("draining: this server is going away")
	}
	last, ready := l.feed.answered()
	switch {
	case !ready:
		return errors.New("the message log has not been reached yet")
	case time.Since(last) > tolerance:
		return fmt.Errorf("the message log has not answered for %s", time.Since(last).Round(time.Second))
	}
	return nil
}
