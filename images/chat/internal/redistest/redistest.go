// Package redistest starts real redis-server processes for tests: one alone,
// one with a replica and Sentinels, or a Cluster; on loopback, in a folder of
// the test's, ended with the test.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience ends a test whose Redis does not come up. A Sentinel on a machine that
// was too busy for it does nothing for 30 s.
const patience = 90 * time.Second

// Server is one redis-server process. Its methods are for one goroutine.
type Server struct {
	Addr string // host:port

	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  *bytes.Buffer // its output; read after done
}

// durable is how the manifest runs Redis: what it has answered is on disk.
// And a master feeds a new replica at once, not after 5 s.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0"}

// Start starts one durable Redis. More arguments are as for redis-server.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := start(t, append(slices.Clone(durable), args...)...)
	s.await()
	return s
}

// Binary is redis-server's path; without one the test fails and says so.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed: on Debian or Ubuntu, apt-get install redis-server")
	}
	return path
}

func start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir(), Addr: fmt.Sprintf("127.0.0.1:%d", FreePort(t))}
	s.args = args
	s.Run()
	t.Cleanup(s.Kill)
	return s
}

// FreePort is a port that nobody has now, nor the one 10,000 above, a Cluster
// node's second. Both are below the range that the system takes for outgoing
// connections, so that a killed server finds its port free again.
func FreePort(t testing.TB) int {
	t.Helper()
	const first, count, bus = 10_000, 12_000, 10_000
	for range 1000 {
		port := first + rand.IntN(count)
		if free(port) && free(port+bus) {
			return port
		}
	}
	t.Fatal("no free port between 10000 and 22000")
	return 0
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// Run starts the process, again after Kill: on the same port and folder.
func (s *Server) Run() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.Addr)
	var args []string
	if slices.Contains(s.args, "--sentinel") { // it wants a file of its own to write to
		args = append(args, filepath.Join(s.dir, "sentinel.conf"))
	}
	args = append(args, s.args...)
	args = append(args, "--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--daemonize", "no")
	s.cmd = exec.Command(Binary(s.t), args...)
	// The tests' process may be killed: its children go with it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.log = new(bytes.Buffer)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	done := make(chan struct{})
	s.done = done
	go func(c *exec.Cmd) {
		defer close(done)
		_ = c.Wait() // killed, most likely
	}(s.cmd)
}

// RunWith is Run with more arguments, which later Runs have, too.
func (s *Server) RunWith(args ...string) {
	s.t.Helper()
	s.args = append(slices.Clone(s.args), args...)
	s.Run()
}

// Await waits until a field of INFO has a value.
func (s *Server) Await(field, value string) {
	s.t.Helper()
	c := s.Client()
	defer c.Close()
	s.until(field+" is "+value, func(ctx context.Context) error {
		text, err := c.Info(ctx, "everything").Result()
		if err == nil && !strings.Contains(text, "\n"+field+":"+value+"\r") {
			err = errors.New("it has another value")
		}
		return err
	})
}

// await waits until the server answers.
func (s *Server) await() {
	s.t.Helper()
	c := s.Client()
	defer c.Close()
	s.until("it answers", func(ctx context.Context) error { return c.Ping(ctx).Err() })
}

// until polls until check succeeds.
func (s *Server) until(what string, check func(context.Context) error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-s.done:
			s.t.Fatalf("redis-server %s ended: %s", s.Addr, s.log)
		case <-ctx.Done():
			s.t.Fatalf("redis-server %s: gave up waiting until %s: %v", s.Addr, what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Client is a connection of the test's own, which closes it.
func (s *Server) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true})
}

// Do runs one command and gives its answer; an error ends the test.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	c := s.Client()
	defer c.Close()
	v, err := c.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		s.t.Fatalf("redis %v: %v", args, err)
	}
	return v
}

// Info is one field of INFO.
func (s *Server) Info(field string) string {
	s.t.Helper()
	text, _ := s.Do("info", "everything").(string)
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return v
		}
	}
	s.t.Fatalf("INFO has no field %s", field)
	return ""
}

// URL is the store's URL for this server.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Dir is where the server keeps its data.
func (s *Server) Dir() string { return s.dir }

// Kill ends the process without warning (kill -9) and waits for its end.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.done
}

// Restart starts a killed server again and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.Run()
	s.await()
}

// Freeze stops the process in its tracks; Thaw lets it go on.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal %v to redis-server: %v", sig, err)
	}
}

// Backup keeps what the server has on disk now. Restore kills the server,
// puts that back and starts it again: the server has lost what came since.
func (s *Server) Backup() (restore func()) {
	s.t.Helper()
	s.Kill()
	kept := s.t.TempDir()
	if err := os.CopyFS(kept, os.DirFS(s.dir)); err != nil {
		s.t.Fatalf("back up: %v", err)
	}
	s.Run()
	s.await()
	return func() {
		s.t.Helper()
		s.Kill()
		if err := os.RemoveAll(s.dir); err != nil {
			s.t.Fatalf("restore: %v", err)
		}
		if err := os.CopyFS(s.dir, os.DirFS(kept)); err != nil {
			s.t.Fatalf("restore: %v", err)
		}
		s.Run()
		s.await()
	}
}
