package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// These tests run the real binary as its users do: as processes, over
// loopback, on a file or on a real Redis.

var (
	binary string // of this version
	// later gives the binary of a later version: of the same source, with one
	// more kind of event (see internal/chat/kind_future.go).
	later func() (string, error)
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "chat-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build := func(name string, flags ...string) (string, error) {
		path := filepath.Join(dir, name)
		cmd := exec.Command("go", slices.Concat([]string{"build"}, raceFlag, flags, []string{"-o", path, "."})...)
		cmd.Stderr = os.Stderr
		return path, cmd.Run()
	}
	later = sync.OnceValues(func() (string, error) { return build("chat-later", "-tags", "futurekind") })
	code := 1
	if binary, err = build("chat"); err == nil {
		code = m.Run()
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// patience ends a test that hangs; it is no measure of the server.
const patience = 60 * time.Second

// pod is one chat process. Its methods are for the test's goroutine.
type pod struct {
	t      *testing.T
	binary string
	addr   string
	args   []string
	cmd    *exec.Cmd
	log    *os.File
}

// freeAddr is a loopback address that nobody listens on now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startPod runs a pod until the test ends.
func startPod(t *testing.T, args ...string) *pod {
	t.Helper()
	return startBinary(t, binary, args...)
}

func startBinary(t *testing.T, binary string, args ...string) *pod {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	p := &pod{t: t, binary: binary, addr: freeAddr(t), args: args, log: log}
	p.start()
	t.Cleanup(func() {
		p.kill()
		text, err := os.ReadFile(log.Name())
		if err != nil || bytes.Contains(text, []byte("DATA RACE")) || bytes.Contains(text, []byte("panic")) {
			t.Errorf("the pod raced or panicked (%v)", err)
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", p.addr, text)
		}
	})
	return p
}

func (p *pod) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.binary, append([]string{"--listen", p.addr, "--admin-listen", "off"}, p.args...)...)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, p.addr) {
		p.t.Fatalf("first line %q, %v; want one with %s", line, err, p.addr)
	}
}

// kill is kill -9.
func (p *pod) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // it says "killed"
	}
}

// term is SIGTERM; it gives the exit status.
func (p *pod) term() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

func (p *pod) wait() int {
	p.t.Helper()
	done := make(chan error, 1)
	go func() { done <- p.cmd.Wait() }()
	select {
	case err := <-done:
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		}
		return 0
	case <-time.After(patience):
		p.t.Fatal("the pod does not end")
		return -1
	}
}

func (p *pod) url(path string) string { return "http://" + p.addr + path }

// status asks for a path and gives the status alone.
func (p *pod) status(path string) int {
	p.t.Helper()
	resp, err := http.Get(p.url(path))
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// until polls a condition that must come about.
func until(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !check(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}
