package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPanicsAreLoggedAndAnswered: a panic is answered 500 where nothing was
// said yet, cut off where half an answer was, and logged without addresses.
func TestPanicsAreLoggedAndAnswered(t *testing.T) {
	var log bytes.Buffer
	s := &Server{logger: slog.New(slog.NewTextHandler(&log, nil))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /early", s.recovered(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		panic("early trouble")
	}))
	mux.HandleFunc("GET /late", s.recovered(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half of "))
		panic("late trouble")
	}))
	mux.HandleFunc("GET /abort", s.recovered(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	ts := httptest.NewUnstartedServer(mux)
	ts.Config.ErrorLog = slog.NewLogLogger(quiet{s.logger.Handler()}, slog.LevelError)
	ts.Start()
	defer ts.Close()

	resp, err := http.Get(ts.URL + "/early")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 500 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("answered %s, %v", resp.Status, resp.Header)
	}
	if resp, err := http.Get(ts.URL + "/late"); err == nil {
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err == nil {
			t.Errorf("half an answer looks whole: %s", &b)
		}
		resp.Body.Close()
	}
	if resp, err := http.Get(ts.URL + "/abort"); err == nil {
		resp.Body.Close()
		t.Errorf("an aborted answer came: %s", resp.Status)
	}
	ts.Close()
	text := log.String()
	for _, want := range []string{"early trouble", "late trouble", "recovered_test.go", `route="GET /early"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "level=ERROR"); n != 2 || strings.Contains(text, "127.0.0.1") {
		t.Errorf("%d errors logged, want 2, without addresses:\n%s", n, text)
	}
}
