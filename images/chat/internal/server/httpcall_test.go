package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

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

// call makes a request whose header is given as "Name: value" lines. The
// answer is as it came: not decompressed, redirects not followed.
func call(t testing.TB, method, url, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

const asJSON = "Content-Type: application/json"

func draftJSON(key, topic, content string) string {
	return fmt.Sprintf(`{"key":%q,"topic":%q,"name":"Ann","email":"ann@example.org","content":%q}`, key, topic, content)
}

func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decode[T any](t testing.TB, resp *http.Response) (v T) {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q; want application/json", got)
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
