package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestFootprint prints what connections and deliveries cost a server, and
// fails if that is far from what docs/performance.md says:
//
//	go test -run TestFootprint -v ./internal/server
//
// The server is the real program, in a process of its own, without the race
// detector; the clients are bare sockets of the test's process. Memory is the
// server's VmRSS, processor time its utime and stime. Neither depends on how
// fast the machine is at the moment, so the margins hold on a noisy one.
func TestFootprint(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	if testing.Short() {
		t.Skip("-short: builds and runs the program")
	}
	program := filepath.Join(t.TempDir(), "chat")
	if out, err := exec.Command("go", "build", "-o", program, "chatapp/chat/cmd/chat").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Run("idle connections", func(t *testing.T) { footprintIdle(t, program, 0, idleConnections) })
	t.Run("hot topic", func(t *testing.T) { footprintDeliveries(t, program, 0, 400, 16, 0, 5) })
	t.Run("trickle", func(t *testing.T) { footprintDeliveries(t, program, 0, 30, 1, 30*time.Millisecond, 60) })
	t.Run("users beside guests", func(t *testing.T) { footprintUsers(t, program) })
}

// Margins, and how many connections are opened.
const (
	idleConnections   = 2000
	maxIdleKB         = 20.0 // KiB of RSS for each
	readerConnections = 1000
)

// process is a running server.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	pod  *pod // only its addresses
	done chan struct{}
}

var address = regexp.MustCompile(`http://(\S+)`)

// startProcess starts a server on the log in a folder.
func startProcess(t testing.TB, program, dir string) *process {
	t.Helper()
	cmd := exec.Command(program, "--listen", "127.0.0.1:0", "--admin-listen", "off", "--data", dir,
		"--post-rate", "0", "--drain-leave", "0s", "--log-level", "error")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	m := address.FindStringSubmatch(line)
	if err != nil || m == nil {
		t.Fatalf("first line %q, %v", line, err)
	}
	p := &process{t: t, cmd: cmd, pod: &pod{addr: m[1], url: "http://" + m[1]}, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // killed
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process, if it still runs.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// rss is the resident memory in KiB.
func (p *process) rss() float64 {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return kb
}

// cpu is the processor time used so far; the kernel counts in hundredths of a second.
func (p *process) cpu() time.Duration {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// metric reads one value from /metrics.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	body := bodyOf(p.t, call(p.t, "GET", p.pod.url+"/metrics", ""))
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		p.t.Fatalf("no metric %s", name)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// subscribe opens n connections that have said hello to all topics: guests, or
// users of these tokens in turn.
func (p *process) subscribe(n int, tokens ...string) []*rawConn {
	p.t.Helper()
	conns := make([]*rawConn, n)
	for i := range conns {
		conn, err := net.Dial("tcp", p.pod.addr)
		if err != nil {
			p.t.Fatal(err)
		}
		c := &rawConn{Conn: conn, t: p.t, br: bufio.NewReaderSize(conn, 1024)}
		p.t.Cleanup(func() { c.Close() })
		c.write([]byte(request(p.pod.addr, nil)))
		resp, err := http.ReadResponse(c.br, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			p.t.Fatalf("connection %d: %v, %v", i, resp, err)
		}
		hello := `{"type":"hello","limit":0}`
		if len(tokens) > 0 {
			hello = fmt.Sprintf(`{"type":"hello","limit":0,"token":%q}`, tokens[i%len(tokens)])
		}
		c.write(text(hello))
		if d := answers(c.next(), `{"type":"welcome"}`); d != "" {
			p.t.Fatal(d)
		}
		conns[i] = c
	}
	return conns
}

// startWithAccounts starts a server that knows n accounts, and gives a token of
// each. They are made by another process: it takes much memory to hash a
// password.
func startWithAccounts(t *testing.T, program string, n int) (*process, []string) {
	t.Helper()
	dir := t.TempDir()
	p := startProcess(t, program, dir)
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = enrol(t, p.pod, fmt.Sprint("user", i)).token
	}
	p.kill()
	return startProcess(t, program, dir), tokens
}

// footprintIdle gives the memory of one of n idle connections, in KiB; of users
// of so many accounts, or of guests where that is 0.
func footprintIdle(t *testing.T, program string, accounts, n int) float64 {
	p, tokens := startWithAccounts(t, program, accounts)
	for _, c := range p.subscribe(50, tokens...) { // what is paid once
		c.Close()
	}
	awaitMetric(p, "chat_connections", 0)
	before := p.rss()
	p.subscribe(n, tokens...)
	awaitMetric(p, "chat_connections", float64(n))
	if accounts == 0 {
		awaitMetric(p, "chat_online", float64(n))
	}
	goroutines := p.metric("go_goroutines")
	for range 100 { // a busy machine may still be writing the last presence frames
		if goroutines <= float64(n+60) {
			break
		}
		time.Sleep(50 * time.Millisecond)
		goroutines = p.metric("go_goroutines")
	}
	after := p.rss()
	each := (after - before) / float64(n)
	t.Logf("%d idle connections of %d accounts: %.1f KiB of RSS each (%.0f KiB before, %.0f after), %.0f goroutines", n, accounts, each, before, after, goroutines)
	if each > maxIdleKB {
		t.Errorf("%.1f KiB for each idle connection; want at most %.0f", each, maxIdleKB)
	}
	if goroutines > float64(n+60) {
		t.Errorf("%.0f goroutines for %d connections", goroutines, n)
	}
	return each
}

// footprintUsers holds connections of users against those of guests.
func footprintUsers(t *testing.T, program string) {
	const accounts, most = 20, 2.0
	for _, c := range []struct {
		what    string
		measure func(accounts int) float64
	}{
		{"memory", func(accounts int) float64 { return footprintIdle(t, program, accounts, readerConnections) }},
		{"processor time", func(accounts int) float64 {
			return footprintDeliveries(t, program, accounts, 400, 16, 0, 5)
		}},
	} {
		guest, user := c.measure(0), c.measure(accounts)
		t.Logf("%s of a user's connection by that of a guest's: %.2f", c.what, user/guest)
		if user > most*guest {
			t.Errorf("%s: %.2f for a user, %.2f for a guest; want at most %.1f times as much", c.what, user, guest, most)
		}
	}
}

func awaitMetric(p *process, name string, want float64) {
	p.t.Helper()
	for range 300 {
		if p.metric(name) == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatalf("%s is %v; want %v", name, p.metric(name), want)
}

// footprintDeliveries posts messages of 200 characters to a topic that all
// connections read: window at a time without waiting for the acks, then a
// pause. It prints the server's processor time for each delivery; most is the
// largest that passes, in microseconds. The readers are users of so many accounts,
// or guests where that is 0.
func footprintDeliveries(t *testing.T, program string, accounts, posts, window int, wait time.Duration, most float64) float64 {
	p, tokens := startWithAccounts(t, program, accounts)
	poster := openRaw(t, p.pod)
	defer poster.Close()
	if err := poster.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	poster.write(text(`{"type":"hello","topics":[]}`))
	poster.next()
	readers := p.subscribe(readerConnections, tokens...)
	awaitMetric(p, "chat_connections", readerConnections+1)
	time.Sleep(1500 * time.Millisecond) // the last presence frames

	var reading sync.WaitGroup
	for _, c := range readers {
		reading.Go(func() {
			last := fmt.Appendf(nil, `"key":"post-%d"`, posts-1)
			var tail []byte
			buf := make([]byte, 32<<10)
			for {
				n, err := c.br.Read(buf)
				if err != nil {
					t.Errorf("a reader: %v", err)
					return
				}
				if tail = append(tail, buf[:n]...); bytes.Contains(tail, last) {
					return
				}
				tail = append(tail[:0], tail[max(0, len(tail)-len(last)):]...)
			}
		})
	}
	for _, c := range readers {
		if err := c.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	deliveries, frames, cpu, began := p.metric("chat_deliveries_total"), p.metric("chat_message_frames_total"), p.cpu(), time.Now()
	content := strings.Repeat("x", 200)
	for i := 0; i < posts; i += window {
		for j := i; j < min(i+window, posts); j++ {
			poster.write(text(fmt.Sprintf(`{"type":"post","key":"post-%d","topic":"tea","name":"Ann","email":"ann@example.org","content":%q}`, j, content)))
		}
		for range min(window, posts-i) {
			if d := answers(poster.next(), `{"type":"ack"}`); d != "" {
				t.Fatal(d)
			}
		}
		time.Sleep(wait)
	}
	reading.Wait()
	took, used := time.Since(began), p.cpu()-cpu
	deliveries, frames = p.metric("chat_deliveries_total")-deliveries, p.metric("chat_message_frames_total")-frames
	each := float64(used.Microseconds()) / deliveries
	t.Logf("%d readers: %.0f deliveries in %v, %.1f messages a frame: %.2f µs of processor time for each delivery, posts included",
		readerConnections, deliveries, took.Round(10*time.Millisecond), deliveries/frames, each)
	if want := float64(posts * readerConnections); deliveries != want {
		t.Errorf("%.0f deliveries; want %.0f", deliveries, want)
	}
	if each > most {
		t.Errorf("%.2f µs for each delivery; want at most %.0f", each, most)
	}
	return each
}
