package server

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"

	"chatapp/chat/internal/chat"
)

// recovered answers 500 when a handler panics, and logs where.
func (s *Server) recovered(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tracked := &trackedWriter{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause) // net/http cuts the connection off and says nothing
			}
			s.logger.Error("a request made the server panic", "route", r.Pattern, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if tracked.started {
				panic(http.ErrAbortHandler) // the client must see that the answer is not whole
			}
			for _, name := range []string{"Content-Length", "Content-Encoding", "Etag"} {
				w.Header().Del(name)
			}
			writeProblem(w, http.StatusInternalServerError, chat.AsError(errPanic))
		}()
		next(tracked, r)
	}
}

var errPanic = errors.New("a request made the server panic")

// trackedWriter knows whether an answer has begun.
type trackedWriter struct {
	http.ResponseWriter
	started bool
}

func (t *trackedWriter) WriteHeader(status int) {
	t.started = t.started || status >= 200
	t.ResponseWriter.WriteHeader(status)
}

func (t *trackedWriter) Write(b []byte) (int, error) {
	t.started = true
	return t.ResponseWriter.Write(b)
}

// Hijack gives the connection away, to package live.
func (t *trackedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	t.started = true
	return http.NewResponseController(t.ResponseWriter).Hijack()
}
