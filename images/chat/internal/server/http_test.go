package server_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"chatapp/chat/internal/live"
)

func liveWithOrigins(origins ...string) live.Config { return live.Config{Origins: origins} }

// expectProblem checks that an answer is a problem (RFC 9457) of a status and
// a code, and gives its detail. It reads the body.
func expectProblem(t testing.TB, resp *http.Response, status int, code string) string {
	t.Helper()
	var problem struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q; want application/problem+json", got)
	}
	if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
		t.Errorf("read the problem: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != status || problem.Status != status || problem.Code != code ||
		problem.Type != "about:blank" || problem.Title != http.StatusText(status) || problem.Detail == "" {
		t.Errorf("answered %s with %+v; want %d, %s and what to do", resp.Status, problem, status, code)
	}
	return problem.Detail
}
