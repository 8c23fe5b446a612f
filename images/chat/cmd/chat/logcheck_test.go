package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatapp/chat/internal/localstore"
)

func TestLogCheck(t *testing.T) {
	dir := t.TempDir()
	check := func() (int, string) {
		var both bytes.Buffer
		status := logCommand([]string{"check", "--data", dir}, os.Getenv, &both, &both)
		return status, both.String()
	}
	if status, text := check(); status != exitSetting || !strings.Contains(text, "no log") {
		t.Errorf("without a log: %d %q", status, text)
	}
	s, err := localstore.Open(localstore.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if status, text := check(); status != 1 || !strings.Contains(text, "in use") {
		t.Errorf("beside a server: %d %q", status, text)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if status, text := check(); status != 0 || !strings.Contains(text, "is whole") {
		t.Errorf("a whole log: %d %q", status, text)
	}
	if err := os.Truncate(filepath.Join(dir, localstore.FileName), 12288); err != nil {
		t.Fatal(err)
	}
	if status, text := check(); status != 1 || !strings.Contains(text, "is damaged: it is cut off") {
		t.Errorf("a log that was cut off: %d %q", status, text)
	}
}

// TestDamagedLogEndsTheServer holds the server to exit status 1 and one line.
func TestDamagedLogEndsTheServer(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, localstore.FileName)
	if err := os.WriteFile(path, []byte("this is no log"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parse([]string{"--data", dir, "--listen", "127.0.0.1:0"}, func(string) string { return "" }, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), c, &bytes.Buffer{}, newLogger(c, &bytes.Buffer{}))
	if err == nil || exitStatus(err) != 1 || strings.Contains(err.Error(), "\n") ||
		!strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "chat log check") {
		t.Errorf("a damaged log: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != "this is no log" {
		t.Errorf("the file was changed: %q, %v", now, err)
	}
}
