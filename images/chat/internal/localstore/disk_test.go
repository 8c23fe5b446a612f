package localstore

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/trouble"
)

// A full disk is said once, told to those who post, and over by itself.
func TestFullDiskIsSaid(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	failures := 0
	s, err := Open(Options{
		Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&out, nil)),
		Failed: func(trouble.Access, string) { failures++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := s.wrote(fmt.Errorf("commit: %w", syscall.ENOSPC))
		if text := chat.Unavailable(err).Message; !strings.Contains(text, "has no room left on its disk") {
			t.Errorf("who posts is told %q", text)
		}
	}
	if told := s.Trouble(); len(told) != 1 || !strings.Contains(told[0], "DISKFULL") {
		t.Errorf("the trouble is told as %q", told)
	}
	s.probe()
	if told := s.Trouble(); len(told) != 0 {
		t.Errorf("after a write: %q", told)
	}
	s.Close()
	if text := out.String(); strings.Count(text, "trouble begins") != 1 || strings.Count(text, "trouble is over") != 1 || failures != 3 {
		t.Errorf("%d failures:\n%s", failures, text)
	}
}
