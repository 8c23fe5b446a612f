package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/redistest"
)

// The store's trouble is what /readyz tells: it is wired.
func TestStoreTellsItsTrouble(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	c, err := parse([]string{"--redis-url", server.URL()}, func(string) string { return "" }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := openStore(c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.trouble == nil {
		t.Fatal("nobody tells")
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(strings.Join(s.trouble(), "\n"), "allkeys-lru") {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it is never told")
		}
	}
}
