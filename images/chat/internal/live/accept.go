package live

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/wire"
)

// retryAfterSeconds is what a client that finds the server full is told.
const retryAfterSeconds = 2

// Accept upgrades a request and starts its session, or returns the HTTP status
// and the error to answer with; nothing has been written then. It returns as
// soon as the session runs, so that net/http frees what it holds for a request.
// The caller has checked that the page may open a socket.
func (l *Sessions) Accept(w http.ResponseWriter, r *http.Request) (status int, _ *chat.Error) {
	if !l.reserve() {
		l.shared.metrics.refused.Inc()
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
		return http.StatusServiceUnavailable, &chat.Error{
			Code: chat.CodeUnavailable, Message: "this server takes no more connections now; try again in a moment",
			RetryAfter: retryAfterSeconds * time.Second,
		}
	}
	if !r.ProtoAtLeast(1, 1) || !websocket.IsWebSocketUpgrade(r) || r.Header.Get("Sec-Websocket-Version") != "13" {
		l.release()
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
		l.release()
		if status == 0 { // the connection is hijacked: no answer can be written
			return 0, nil
		}
		return status, &chat.Error{Code: chat.CodeBadFrame, Message: "open a WebSocket here (RFC 6455): " + err.Error()}
	}
	if b, ok := conn.NetConn().(interface{ SetWriteBuffer(int) error }); ok {
		_ = b.SetWriteBuffer(sendBuffer) // if it fails, the connection takes more of the kernel's memory
	}
	s := &session{shared: &l.shared, conn: conn, source: limit.Source(r.RemoteAddr)}
	s.out.init(conn, l.config.QueueBytes, l.shared.metrics)
	l.adopt(s)
	go l.serve(s) // reserve has counted it; Close joins it
	return 0, nil
}

// reserve counts a connection before it is made, if there is room.
func (l *Sessions) reserve() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut || l.config.MaxConnections > 0 && l.connections >= l.config.MaxConnections {
		return false
	}
	l.connections++
	l.served.Add(1)
	l.shared.metrics.connections.Set(float64(l.connections))
	return true
}

// release undoes reserve.
func (l *Sessions) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connections--
	l.shared.metrics.connections.Set(float64(l.connections))
	l.served.Done()
}

// adopt makes the session known to the crowd, to Close and to the pings. While
// the server drains, a new session is sent its bye at once.
func (l *Sessions) adopt(s *session) {
	s.place = l.shared.members.Enter(&s.out)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	s.pingSecond = l.accepted % pingSeconds
	l.sessions[s] = struct{}{}
	if l.shut {
		s.out.Close(wire.CloseGoingAway)
	}
}

// serve runs a session, and ends everything that belongs to it.
func (l *Sessions) serve(s *session) {
	s.run(l.sessionsCtx)
	l.shared.feed.Hub().Detach(s.subscription.Load())
	if s.seat != nil {
		s.seat.Close()
	}
	s.out.kill()
	_ = s.conn.Close() // everything has been written, or is lost
	s.out.join()
	l.shared.members.Leave(s.place)
	l.mu.Lock()
	delete(l.sessions, s)
	l.mu.Unlock()
	l.release()
}
