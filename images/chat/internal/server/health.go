package server

import (
	"net/http"
	"strings"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/live"
)

func healthz(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") }

// readyz says whether this server takes new clients, and what does not work at
// the moment.
func readyz(sessions *live.Sessions, c Config) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var trouble []string
		if c.Trouble != nil {
			trouble = c.Trouble()
		}
		if err := sessions.Ready(c.ReadyTolerance); err != nil {
			detail := strings.Join(append([]string{err.Error()}, trouble...), "; ")
			writeProblem(w, http.StatusServiceUnavailable, &chat.Error{Code: chat.CodeUnavailable, Message: detail})
			return
		}
		writeText(w, strings.Join(append([]string{"ready"}, trouble...), "\n")+"\n")
	}
}
