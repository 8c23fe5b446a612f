package trouble_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

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
