package server

import (
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chatapp/chat/internal/chat"
)

// writeProblem writes an error as problem details (RFC 9457).
func writeProblem(w http.ResponseWriter, status int, e *chat.Error) {
	problem := struct {
		Type         string    `json:"type"`
		Title        string    `json:"title"`
		Status       int       `json:"status"`
		Detail       string    `json:"detail"`
		Code         chat.Code `json:"code"`
		Unknown      []string  `json:"unknown,omitempty"`
		RetryAfterMs int64     `json:"retry_after_ms,omitzero"`
		At           int       `json:"at,omitzero"`
		Expected     string    `json:"expected,omitzero"`
	}{"about:blank", http.StatusText(status), status, e.Message, e.Code, e.Unknown, e.RetryAfter.Milliseconds(), e.At, e.Expected}
	if status == http.StatusUnauthorized {
		w.Header().Set("Www-Authenticate", "Bearer")
	}
	if e.RetryAfter > 0 && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	// Texts may quote what was sent, and that need not be UTF-8.
	b, err := json.Marshal(problem, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		b = []byte(`{}`) // cannot happen: it has only strings and numbers
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b) // whoever asked is gone
}

func badRequest(format string, args ...any) *chat.Error {
	return &chat.Error{Code: chat.CodeBadFrame, Message: fmt.Sprintf(format, args...)}
}
