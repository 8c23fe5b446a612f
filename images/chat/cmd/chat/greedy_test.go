package main_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestGreedyClient asks for history over and over and reads none of it. The
// server must not pile the answers up; it waits, and at last lets go.
func TestGreedyClient(t *testing.T) {
	t.Parallel()
	p := startPod(t, "--data", t.TempDir(), "--post-rate", "0")
	const n, requests = 200, 3000
	ann := newPerson(t, "ann", p.addr)
	for i := range n {
		ann.post(fmt.Sprint("k", i), "tea", strings.Repeat("x", 4000))
	}
	ann.settled(t, n)
	before := p.rss()

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+p.addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	send := func(text string) error { return conn.Write(ctx, websocket.MessageText, []byte(text)) }
	if err := send(`{"type":"hello","topics":[],"limit":0}`); err != nil {
		t.Fatal(err)
	}
	until(t, "the greedy client is there", func() bool { return ann.get(func() bool { return ann.online == 2 }) })
	for i := range requests { // 0.8 MB of answer for each
		if err := send(fmt.Sprintf(`{"type":"history","ref":"%d","limit":200}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	most := before
	until(t, "the greedy client is let go", func() bool {
		most = max(most, p.rss())
		return ann.get(func() bool { return ann.online == 1 })
	})
	if grown := most - before; grown > 64<<20 {
		t.Errorf("the server grew by %d MiB for one client that does not read", grown>>20)
	}
}

// rss is the pod's resident memory in bytes.
func (p *pod) rss() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var n int64
			if _, err := fmt.Sscan(kb, &n); err != nil {
				p.t.Fatal(err)
			}
			return n << 10
		}
	}
	p.t.Fatal("no VmRSS")
	return 0
}
