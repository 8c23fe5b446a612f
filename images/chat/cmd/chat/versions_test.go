package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"chatapp/chat/internal/redistest"
)

// TestTwoVersionsOnOneLog has this version and a later one on one Redis. The
// later one writes a kind of event that this one lacks. People on this one
// miss these events and nothing else; nobody's socket breaks, and pods of this
// version that start later get ready.
func TestTwoVersionsOnOneLog(t *testing.T) {
	t.Parallel()
	binary, err := later()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--redis-url", redistest.Start(t).URL(), "--redis-partitions", "3", "--post-rate", "0"}
	old, next := startPod(t, args...), startBinary(t, binary, args...)
	ann, ben := newPerson(t, "ann", old.addr), newPerson(t, "ben", next.addr)

	const n = 60
	plain, future := map[string]bool{}, 0
	for i := range n {
		key, content := fmt.Sprint("k", i), "hello"
		if i%3 == 1 || i >= n-2 { // the last two, too: the log ends with them
			content, future = "future hello", future+1
		} else {
			plain[key] = true
		}
		ben.post(key, fmt.Sprint("topic ", i%4), content)
	}
	ben.settled(t, n)
	ann.settled(t, len(plain))
	ann.post("from-ann", "tea", "are you all there?")
	plain["from-ann"] = true
	ben.settled(t, n+1)
	ann.settled(t, len(plain))

	// A pod of this version that starts now, and one who comes to it, or back.
	fresh := startPod(t, args...)
	until(t, "a pod that starts now is ready", func() bool { return fresh.status("/readyz") == http.StatusOK })
	cat := newPerson(t, "cat", fresh.addr)
	cat.post("from-cat", "tea", "hello")
	plain["from-cat"] = true
	ann.mu.Lock()
	ann.addrs = []string{fresh.addr}
	ann.conn.CloseNow()
	ann.mu.Unlock()
	until(t, "ann is back", func() bool { return ann.get(func() bool { return ann.connects == 2 }) })
	ben.settled(t, n+2)
	ann.settled(t, len(plain))

	for _, p := range []*person{ann, ben, cat} {
		p.faultless(t)
		if p != ann && p.connects != 1 {
			t.Errorf("%s connected %d times; want once", p.name, p.connects)
		}
	}
	if len(ben.seen) != n+2 || len(ann.seen) != len(plain) {
		t.Errorf("ben saw %d, ann %d; want %d and %d", len(ben.seen), len(ann.seen), n+2, len(plain))
	}
	for _, m := range append(ann.seen, cat.seen...) {
		if !plain[m.Key] {
			t.Errorf("a person on this version saw %s, which it does not know", m.Key)
		}
	}
	for _, pod := range []*pod{old, fresh} {
		if got := history(t, pod.addr); len(got) != len(plain) {
			t.Errorf("history of this version has %d messages; want %d", len(got), len(plain))
		}
	}
	if got := history(t, next.addr); len(got) != n+2 {
		t.Errorf("history of the later version has %d messages; want %d", len(got), n+2)
	}
	for _, pod := range []*pod{old, fresh} {
		line := metric(t, pod, `chat_unknown_events_total{kind="f"}`)
		var counted int
		if _, err := fmt.Sscan(line, &counted); err != nil || counted < future {
			t.Errorf("%q unknown events are counted; want %d or more", line, future)
		}
		text, err := os.ReadFile(pod.log.Name())
		if err != nil || strings.Count(string(text), "kind=f") != 1 {
			t.Errorf("the unknown kind is logged %d times, %v; want once", strings.Count(string(text), "kind=f"), err)
		}
	}
	if line := metric(t, next, `chat_unknown_events_total{kind="f"}`); line != "" {
		t.Errorf("the later version counts its own kind as unknown: %s", line)
	}
}

// metric gives the value of a metric with its labels, "" if there is none.
func metric(t *testing.T, p *pod, name string) string {
	t.Helper()
	resp, err := http.Get(p.url("/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
