package redisnode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"chatapp/chat/internal/redistest"
)

// nodeVariable tells this test's program, started again, that it is a node's
// Redis or Sentinel: the value is "start" or "sentinel" and the node.
const nodeVariable = "REDISNODE_TEST_NODE"

func TestMain(m *testing.M) {
	if what, node, ok := strings.Cut(os.Getenv(nodeVariable), " "); ok {
		n := new(Node)
		if err := json.Unmarshal([]byte(node), n); err != nil {
			panic(err)
		}
		n.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		err := map[string]func(context.Context) error{"start": n.Start, "sentinel": n.StartSentinel}[what](context.Background())
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	redis.SetLogger(noLog{})
	// These tests wait more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

var discard = slog.New(slog.DiscardHandler)

// patience ends a test that hangs. A Sentinel on a machine that was too busy for
// it does nothing for 30 s.
const patience = 2 * time.Minute

func until(t testing.TB, what string, check func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("gave up waiting until %s: %v", what, err)
		}
	}
}

// member is a node of a set and its two processes.
type member struct {
	*Node
	t               testing.TB
	redis, sentinel *process
}

// newSet makes three nodes on loopback that have not run yet.
func newSet(t testing.TB) []*member {
	t.Helper()
	redistest.Binary(t)
	var addrs []Addr
	for range 3 {
		addrs = append(addrs, Addr{Host: "127.0.0.1", Redis: redistest.FreePort(t), Sentinel: redistest.FreePort(t)})
	}
	var set []*member
	for i, addr := range addrs {
		n := &Node{
			Name: fmt.Sprintf("redis-%d", i), Me: addr, First: addrs[0],
			Dir: t.TempDir(), Tmp: t.TempDir(), Bind: "127.0.0.1", MaxMemory: "64mb",
			Passwords: Passwords{Chat: "c1", ChatAlso: "c2", System: "s1"},
			Log:       discard,
		}
		for j, peer := range addrs {
			if j != i {
				n.Peers = append(n.Peers, peer)
			}
		}
		set = append(set, &member{Node: n, t: t})
	}
	return set
}

// startSet starts them all at once and waits until they agree.
func startSet(t testing.TB) []*member {
	t.Helper()
	set := newSet(t)
	for _, m := range set {
		m.start()
	}
	whole(t, set)
	return set
}

func (m *member) start() {
	m.t.Helper()
	m.startRedis()
	m.sentinel = m.run("sentinel")
}

func (m *member) startRedis() {
	m.t.Helper()
	m.redis = m.run("start")
}

// kill ends both processes without warning.
func (m *member) kill() {
	m.redis.kill()
	m.sentinel.kill()
}

// wipe is what becomes of the disk of a deleted pod.
func (m *member) wipe() {
	m.t.Helper()
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(m.Dir, e.Name())); err != nil {
			m.t.Fatal(err)
		}
	}
}

// do sends a command as user "system".
func (m *member) do(command ...any) any {
	m.t.Helper()
	v, err := m.ask(context.Background(), m.local(), m.Me.Redis, command...).Result()
	if err != nil {
		m.t.Fatalf("%s: %v: %v", m.Name, command, err)
	}
	return v
}

// process is a Redis or a Sentinel that began as this program.
type process struct {
	cmd    *exec.Cmd
	done   chan struct{}
	output *output
}

// output may be read while the process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (m *member) run(what string) *process {
	m.t.Helper()
	node, err := json.Marshal(m.Node)
	if err != nil {
		m.t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0]), done: make(chan struct{}), output: new(output)}
	p.cmd.Env = append(os.Environ(), nodeVariable+"="+what+" "+string(node))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if err := p.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // killed, most likely
	}()
	m.t.Cleanup(func() {
		p.kill()
		if m.t.Failed() {
			text := p.output.String()
			m.t.Logf("%s %s ends with:\n%s", m.Name, what, text[max(0, len(text)-6000):])
		}
	})
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// whole waits until one of them is master, the others are in step, and every
// Sentinel names that master; it gives the master.
func whole(t testing.TB, set []*member) (master *member) {
	t.Helper()
	until(t, "the set is whole", func() (err error) {
		master, err = inspect(t, set, func(map[string]string) bool { return true })
		return err
	})
	return master
}

// known is whole, and every Sentinel knows all replicas and the others. They
// look every ten seconds.
func known(t testing.TB, set []*member) (master *member) {
	t.Helper()
	until(t, "everybody knows everybody", func() (err error) {
		master, err = inspect(t, set, func(fields map[string]string) bool {
			return fields["num-slaves"] == "2" && fields["num-other-sentinels"] == "2" && fields["flags"] == "master"
		})
		return err
	})
	return master
}

func inspect(t testing.TB, set []*member, good func(sentinel map[string]string) bool) (master *member, err error) {
	for _, m := range set {
		r, err := m.role(t.Context(), m.local(), m.Me.Redis)
		switch {
		case err != nil:
			return nil, err
		case r.master && master != nil:
			return nil, errors.New("there are two masters")
		case r.master:
			master = m
			if len(r.replicas) != len(set)-1 {
				return nil, fmt.Errorf("the master has %d replicas", len(r.replicas))
			}
		case !r.connected:
			return nil, fmt.Errorf("%s is not in step", m.Name)
		}
	}
	if master == nil {
		return nil, errors.New("nobody is master")
	}
	for _, m := range set {
		fields, err := asMap(m.ask(t.Context(), m.local(), m.Me.Sentinel, "sentinel", "master", MasterName))
		if err != nil {
			return nil, err
		}
		if got := fields["ip"] + ":" + fields["port"]; got != master.Me.String() || !good(fields) {
			return nil, fmt.Errorf("the Sentinel of %s: master %s (%s), %s replicas, %s others", m.Name, got, fields["flags"], fields["num-slaves"], fields["num-other-sentinels"])
		}
	}
	return master, nil
}
