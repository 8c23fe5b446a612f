package trouble_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/trouble"
)

// Each cause is logged once when it begins and once when it is over, whatever
// lies between and however many places it shows in.
func TestEachCauseIsLoggedTwice(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	counted := map[string]int{}
	b := trouble.New("redis", slog.New(slog.NewTextHandler(&out, nil)), func(a trouble.Access, code string) { counted[string(a)+code]++ })
	full := trouble.Cause{Code: "OOM", Reason: "is full"}
	for range 10 {
		b.Failed("partition 0", trouble.Writes, full, errors.New("x"))
		b.Failed("partition 1", trouble.Writes, full, errors.New("x"))
		b.Works("partition 0", trouble.Reads) // proves nothing of writes
	}
	if s := b.Sentences(); len(s) != 1 || !strings.Contains(s[0], "writes of partition 0, partition 1 fail") || !strings.Contains(s[0], "is full (OOM)") {
		t.Errorf("sentences: %q", s)
	}
	b.Failed("partition 1", trouble.Reads, trouble.Cause{Code: "BUSY", Reason: "is busy"}, errors.New("x"))
	b.Works("partition 0", trouble.Writes)
	if !b.In("partition 1", trouble.Writes) || b.In("partition 0", trouble.Writes) {
		t.Error("the places in trouble are wrong")
	}
	b.Works("partition 1", trouble.Writes)
	b.Works("partition 1", trouble.Writes)
	if s := b.Sentences(); len(s) != 0 {
		t.Errorf("after all: %q", s)
	}
	b.Close()
	text := out.String()
	for _, want := range []string{"trouble begins", "trouble is over"} {
		if n := strings.Count(text, want); n != 2 { // OOM and BUSY
			t.Errorf("%q stands %d times, want 2:\n%s", want, n, text)
		}
	}
	if !strings.Contains(text, "cause=OOM failures=20") || counted["writesOOM"] != 20 {
		t.Errorf("the failures are not counted: %v\n%s", counted, text)
	}
	b.Note("policy", "bad")
	b.Note("policy", "bad")
	if s := b.Sentences(); len(s) != 1 {
		t.Errorf("a note: %q", s)
	}
	b.Note("policy", "")
	if s := b.Sentences(); len(s) != 0 {
		t.Errorf("a note taken away: %q", s)
	}
}

// A store at its limit refuses one write and takes the next: that is one spell,
// not many. It is over when nothing has failed for a while.
func TestTurnsAreOneSpell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		b := trouble.New("redis", slog.New(slog.NewTextHandler(&out, nil)), nil)
		defer b.Close()
		full := trouble.Cause{Code: "OOM", Reason: "is full"}
		said := func(begins, over int) {
			t.Helper()
			synctest.Wait()
			if n, m := strings.Count(out.String(), "trouble begins"), strings.Count(out.String(), "trouble is over"); n != begins || m != over {
				t.Errorf("said to begin %d times and to be over %d times, want %d and %d:\n%s", n, m, begins, over, out.String())
			}
		}
		for range 10 {
			b.Failed("partition 0", trouble.Writes, full, errors.New("x"))
			time.Sleep(time.Second)
			b.Works("partition 0", trouble.Writes)
			if s := b.Sentences(); len(s) != 0 {
				t.Errorf("what works is told as %q", s)
			}
			time.Sleep(4 * time.Second)
			said(1, 0)
		}
		time.Sleep(time.Second)
		said(1, 1)
		if text := out.String(); !strings.Contains(text, "failures=10 after=46s") {
			t.Errorf("the calm counts as trouble:\n%s", text)
		}
		b.Failed("partition 0", trouble.Writes, full, errors.New("x"))
		said(2, 1)
	})
}

// lockedBuffer is written by the book's timers, and read by the test.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
