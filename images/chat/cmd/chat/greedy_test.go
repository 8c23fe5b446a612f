package main_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// greedyMemory is what a pod may take under clients that ask and do not read:
// resident, and the kernel's for its sockets. The race detector takes more.
func greedyMemory() int64 {
	if raceFlag != nil {
		return 1200 << 20
	}
	return 200 << 20
}

// large fills a pod with messages that take 24 KB of JSON each.
func large(t *testing.T, p *pod) *person {
	t.Helper()
	ann := newPerson(t, "ann", p.addr)
	const n = 200
	for i := range n {
		ann.post(fmt.Sprint("k", i), "tea", "x"+strings.Repeat("\x01", 3999))
		if i%10 == 9 { // she reads in time, too
			ann.settled(t, i+1)
		}
	}
	return ann
}

// TestGreedyClient asks for history over and over and reads none of it. The
// server does not pile the answers up; it waits, and at last says 4001.
func TestGreedyClient(t *testing.T) {
	t.Parallel()
	p := startPod(t, "--data", t.TempDir(), "--post-rate", "0", "--read-rate", "0")
	ann := large(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+p.addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"type":"hello","topics":[],"limit":0}`)); err != nil {
		t.Fatal(err)
	}
	until(t, "the greedy client is there", func() bool { return ann.get(func() bool { return ann.online == 2 }) })
	var asking sync.WaitGroup
	asking.Go(func() { // until the server reads no more, and lets go
		for i := 0; ; i++ {
			if conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"type":"history","ref":"%d","limit":200}`, i)) != nil {
				return
			}
		}
	})
	until(t, "the greedy client is told", func() bool { return p.metric("chat_slow_readers_total") == 1 })
	for {
		if _, _, err = conn.Read(ctx); err != nil {
			break
		}
	}
	if code := websocket.CloseStatus(err); code != 4001 {
		t.Errorf("the greedy client finds %d (%v); want 4001", code, err)
	}
	conn.CloseNow()
	asking.Wait()
	until(t, "the greedy client is let go", func() bool { return ann.get(func() bool { return ann.online == 1 }) })
}

// TestGreedyCrowd has 500 clients of each kind ask for the largest pages and
// read nothing, while others chat: the pod stays within its memory, that of the
// kernel for its sockets included, and the others get everything.
func TestGreedyCrowd(t *testing.T) {
	const crowd = 500
	const upgrade = "GET /ws HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	histories := []string{`{"type":"hello","topics":[],"limit":0}`}
	for i := range 6 {
		histories = append(histories, fmt.Sprintf(`{"type":"history","ref":"%d","limit":200}`, i))
	}
	for _, kind := range []struct {
		name, ask string
		frames    []string // of those that are sockets
	}{
		{"history", upgrade, histories},
		{"welcome", upgrade, []string{`{"type":"hello","limit":200}`}},
		{"http", strings.Repeat("GET /api/v1/messages?limit=200 HTTP/1.1\r\nHost: chat\r\n\r\n", 4), nil},
	} {
		t.Run(kind.name, func(t *testing.T) {
			p := startPod(t, "--data", t.TempDir(), "--post-rate", "0", "--read-rate", "0", "--source-read-rate", "0")
			ann := large(t, p)
			bob := newPerson(t, "bob", p.addr)
			before := p.memory()
			most := before
			for range crowd {
				conn, err := net.Dial("tcp", p.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, kind.ask); err != nil {
					t.Fatal(err)
				}
				if kind.frames == nil {
					continue
				}
				if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
					t.Fatal(err)
				}
				readHead(t, conn)
				for _, f := range kind.frames {
					if _, err := io.WriteString(conn, masked(f)); err != nil {
						t.Fatal(err)
					}
				}
			}
			const said = 100
			for i := range said {
				ann.post(fmt.Sprint("after", i), "cake", "a cake")
				if i%10 == 0 {
					most = max(most, p.memory())
				}
			}
			ann.settled(t, 200+said)
			until(t, "bob has everything that was said", func() bool {
				most = max(most, p.memory())
				return bob.get(func() bool {
					n := 0
					for _, m := range bob.seen {
						if m.Topic == "cake" {
							n++
						}
					}
					return n == said
				})
			})
			for range 10 {
				most = max(most, p.memory())
				time.Sleep(100 * time.Millisecond) // a sample, no wait for anything
			}
			t.Logf("%d greedy clients: %d MiB before, at most %d MiB", crowd, before>>20, most>>20)
			if most > greedyMemory() {
				t.Errorf("the pod takes %d MiB; want at most %d", most>>20, greedyMemory()>>20)
			}
			for _, who := range []*person{ann, bob} {
				if !who.get(func() bool { return who.closes == 0 }) {
					t.Errorf("%s was closed", who.name)
				}
			}
		})
	}
}

// readHead reads the answer to an upgrade, and nothing after it.
func readHead(t *testing.T, conn net.Conn) {
	t.Helper()
	var head []byte
	for one := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); head = append(head, one...) {
		if _, err := conn.Read(one); err != nil {
			t.Fatal(err)
		}
	}
}

// masked is a short text frame of a client, with a mask of zeros.
func masked(text string) string {
	return string([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}

// TestDescriptorsUsedUp opens twice as many connections as there are
// descriptors: the admin port answers as ever, and who is refused is told so.
func TestDescriptorsUsedUp(t *testing.T) {
	t.Parallel()
	script := t.TempDir() + "/chat"
	if err := os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nulimit -n 200\nexec %s \"$@\"\n", binary), 0o700); err != nil {
		t.Fatal(err)
	}
	admin := freeAddr(t)
	p := startBinary(t, script, "--data", t.TempDir(), "--admin-listen", admin)
	var refused, open int
	var reason string
	for range 400 {
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: chat\r\n\r\n"); err != nil {
			refused++ // of a flood some are not told
			continue
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		switch {
		case err != nil:
			refused++
		case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
			refused++
			reason = resp.Header.Get("Content-Type")
		case resp.StatusCode == http.StatusOK:
			open++
		default:
			t.Fatalf("answered %d", resp.StatusCode)
		}
	}
	if open < 100 || open > 190 || refused != 400-open || reason != "application/problem+json" {
		t.Errorf("%d taken, %d refused, the last with %q", open, refused, reason)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		resp, err := http.Get("http://" + admin + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s on the admin port: %d", path, resp.StatusCode)
		}
	}
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "connections are refused"); n != 1 {
		t.Errorf("%d lines say that connections are refused; want one", n)
	}
}

// memory is the pod's resident memory and the kernel's for its sockets, in bytes.
func (p *pod) memory() int64 { return p.rss() + p.sockets() }

var socketMemory = regexp.MustCompile(`skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+),`)

// sockets is what the kernel holds for the pod's connections, in bytes: received
// and not read, written and not taken, and set apart. Where there is no ss it is
// twice what was written and not taken, which is never less.
func (p *pod) sockets() (sum int64) {
	p.t.Helper()
	_, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := exec.Command("ss", "-tmnH", "sport", "=", ":"+port).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return p.queues(port)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range socketMemory.FindAllStringSubmatch(string(out), -1) {
		for _, text := range m[1:] {
			n, _ := strconv.ParseInt(text, 10, 64)
			sum += n
		}
	}
	return sum
}

func (p *pod) queues(port string) (sum int64) {
	p.t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		p.t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) {
			written, _, _ := strings.Cut(f[4], ":")
			bytes, _ := strconv.ParseInt(written, 16, 64)
			sum += 2 * bytes
		}
	}
	return sum
}

// metric is the value of a metric without labels.
func (p *pod) metric(name string) float64 {
	p.t.Helper()
	resp, err := http.Get(p.url("/metrics"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return n
		}
	}
	p.t.Fatal("no metric", name)
	return 0
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
