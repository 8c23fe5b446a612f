package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/people"
)

// statusOf says how each code is answered over HTTP.
var statusOf = map[chat.Code]int{
	chat.CodeBadFrame:     http.StatusBadRequest,
	chat.CodeBadMessage:   http.StatusBadRequest,
	chat.CodeTooLarge:     http.StatusRequestEntityTooLarge,
	chat.CodeRateLimited:  http.StatusTooManyRequests,
	chat.CodeUnavailable:  http.StatusServiceUnavailable,
	chat.CodeUnauthorised: http.StatusUnauthorized,
	chat.CodeNotFound:     http.StatusNotFound,
	chat.CodeConflict:     http.StatusConflict,
	chat.CodeInternal:     http.StatusInternalServerError,
}

// fail is the one place that turns errors into answers. Errors that the client
// did not cause are logged.
func (s *Server) fail(w http.ResponseWriter, err error) {
	e := chat.AsError(err)
	if e.Code == chat.CodeInternal {
		s.logger.Error("request failed", "error", e)
	}
	status := statusOf[e.Code]
	if errors.Is(err, people.ErrForbidden) {
		status = http.StatusForbidden
	}
	writeProblem(w, status, e)
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked is gone
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text)) // whoever asked is gone
}

// contentSecurityPolicy lets the page load its own files, talk to its own
// server, and nothing else. Trusted types without any policy forbid every way
// of turning a string into markup or script.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; manifest-src 'self'; font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// headers sets what every answer carries.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		next.ServeHTTP(w, r)
	})
}

// quiet drops what net/http logs of single connections, since it names
// addresses. It keeps panics outside of routes; those in routes are recovered.
type quiet struct{ slog.Handler }

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	// "http: panic serving ADDRESS: what and where"
	if words := strings.SplitN(r.Message, " ", 5); len(words) == 5 && words[1] == "panic" {
		r.Message = "a request made the server panic: " + words[4]
		return q.Handler.Handle(ctx, r)
	}
	return nil
}

func writeNothing(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
