package redisnode

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
)

// A set that never ran: all start at once, the first becomes master, the
// others its replicas, and all are ready.
func TestNewSet(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	if master := known(t, set); master != set[0] {
		t.Errorf("%s became master", master.Name)
	}
	for _, m := range set {
		if err := m.Ready(t.Context()); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		if err := m.SentinelReady(t.Context()); err != nil {
			t.Errorf("Sentinel of %s: %v", m.Name, err)
		}
		if got, err := m.sentinelMaster(t.Context()); err != nil || got != set[0].Me.String() {
			t.Errorf("the Sentinel of %s names %s, %v", m.Name, got, err)
		}
	}
}

// A replica whose master is away is not ready, nor is a Redis that is not there.
func TestNotReady(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	for _, m := range set {
		m.sentinel.kill() // nobody makes another master
	}
	set[0].redis.kill()
	until(t, "the replica notices", func() error {
		if set[1].Ready(t.Context()) == nil {
			return fmt.Errorf("it is ready")
		}
		return nil
	})
	if set[0].Ready(t.Context()) == nil || set[0].SentinelReady(t.Context()) == nil {
		t.Error("what does not run is ready")
	}
}

// A master that comes back with an empty disk does not begin while others have
// data, nor while they are silent and might: not for as long as nobody names
// another master. Then it becomes that one's replica.
func TestEmptyMasterWaits(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	known(t, set)
	set[0].do("set", "chat:a", "kept")
	set[0].do("wait", 2, 5000)
	for _, m := range set {
		m.sentinel.kill()
	}
	set[0].kill()
	set[0].wipe()
	// The Sentinels are away: the other Redis still name it their master.
	set[0].startRedis()
	until(t, "it waits", func() error {
		if !strings.Contains(set[0].redis.output.String(), "waiting for the others") {
			return fmt.Errorf("it says %q", set[0].redis.output)
		}
		return nil
	})
	// Nobody answers at all, as when the network is not there yet.
	for _, m := range set[1:] {
		if err := m.redis.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	set[0].redis.kill()
	set[0].startRedis()
	until(t, "it waits for those that are silent", func() error {
		if !strings.Contains(set[0].redis.output.String(), "silent=2") {
			return fmt.Errorf("it says %q", set[0].redis.output)
		}
		return nil
	})
	for _, m := range set[1:] {
		if err := m.redis.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range set {
		m.sentinel = m.run("sentinel")
	}
	if master := whole(t, set); master == set[0] {
		t.Error("the empty one became master")
	}
	if got := set[0].do("get", "chat:a"); got != "kept" {
		t.Errorf("the data is %v", got)
	}
}

// All nodes lose their processes, not their disks, when the first of them is
// not master: whoever is master then has all.
func TestWholeSetRestarts(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	if err := set[0].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	master := whole(t, set)
	if master == set[0] {
		t.Fatal("the first is still master")
	}
	master.do("set", "chat:a", "kept")
	master.do("wait", 2, 5000)
	for _, m := range set {
		m.kill()
	}
	for _, m := range set {
		m.start()
	}
	whole(t, set)
	for _, m := range set {
		if got := m.do("get", "chat:a"); got != "kept" {
			t.Errorf("%s has %v", m.Name, got)
		}
	}
}

// All pods are deleted at once, and their disks with them: a new set.
func TestWholeSetWiped(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	set[0].do("set", "chat:a", "gone")
	for _, m := range set {
		m.kill()
		m.wipe()
	}
	for _, m := range set {
		m.start()
	}
	if master := whole(t, set); master != set[0] {
		t.Errorf("%s is master of the new set", master.Name)
	}
}

// A node that comes back with an empty disk is the same Sentinel to the others.
func TestWipedNodeIsTheSameSentinel(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	set[2].kill()
	set[2].wipe()
	set[2].start()
	known(t, set)
}

// asUser sends one command as somebody.
func asUser(t testing.TB, m *member, user, password string, command ...any) (any, error) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: m.Me.String(), Username: user, Password: password, Protocol: 2, MaxRetries: -1, DisableIdentity: true})
	defer c.Close()
	return c.Do(t.Context(), command...).Result()
}

// What the chat's user may do, and what it may not.
func TestChatUser(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	const script = "redis.call('XADD', KEYS[1], '*', 'a', '1'); redis.call('HSET', KEYS[2], 'b', '2'); return redis.call('PUBLISH', 'chat:x', '1')"
	for _, allowed := range [][]any{
		{"eval", script, 2, "chat:{p0}:log", "chat:{p0}:meta"},
		{"script", "load", "return 1"}, {"script", "exists", "a"},
		{"xrange", "chat:{p0}:log", "-", "+"}, {"xread", "streams", "chat:{p0}:log", "0"},
		{"wait", 0, 10}, {"time"}, {"ping"}, {"info"}, {"role"},
		{"publish", "chat:typing", "x"}, {"spublish", "chat:{p0}:typing", "x"},
		{"subscribe", "chat:typing"}, {"psubscribe", "chat:*"}, {"ssubscribe", "chat:{p0}:typing"},
		{"multi"}, {"unlink", "chat:nothing"}, {"scan", 0},
	} {
		if _, err := asUser(t, set[0], "chat", "c1", allowed...); err != nil && !strings.Contains(err.Error(), "nil") {
			t.Errorf("%v: %v", allowed, err)
		}
	}
	for _, denied := range [][]any{
		{"get", "other"}, {"publish", "other", "x"}, {"subscribe", "other"}, {"spublish", "other", "x"}, {"psubscribe", "*"},
		{"eval", "return redis.call('SET', KEYS[1], 'x')", 1, "other"},
		{"flushall"}, {"flushdb"}, {"config", "get", "*"}, {"keys", "*"}, {"shutdown"}, {"replicaof", "no", "one"},
		{"client", "pause", 10, "write"}, {"client", "kill", "type", "normal"}, {"acl", "list"}, {"save"},
	} {
		if _, err := asUser(t, set[0], "chat", "c1", denied...); !redis.HasErrorPrefix(err, "NOPERM") {
			t.Errorf("%v: %v", denied, err)
		}
	}
	if _, err := asUser(t, set[0], "chat", "c2", "ping"); err != nil {
		t.Errorf("the other password: %v", err)
	}
	for user, password := range map[string]string{"chat": "s1", "system": "c1", "default": ""} {
		if _, err := asUser(t, set[0], user, password, "ping"); err == nil {
			t.Errorf("%s logs in with %q", user, password)
		}
	}
	// And is there after kill -9: it once was not, as a default user without
	// rights makes Redis drop its transactions on loading.
	for _, m := range set {
		m.kill()
	}
	for _, m := range set {
		m.start()
	}
	master := whole(t, set)
	if got, err := asUser(t, master, "chat", "c1", "xlen", "chat:{p0}:log"); err != nil || got != int64(1) {
		t.Errorf("after kill -9 the stream has %v entries, %v", got, err)
	}
	if got, err := asUser(t, master, "chat", "c1", "hget", "chat:{p0}:meta", "b"); err != nil || got != "2" {
		t.Errorf("after kill -9 the hash has %v, %v", got, err)
	}
}

// Passwords change in the three steps of docs/operations.md, one node after the
// other, the master last; in between the set is whole.
func TestPasswordsChange(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	step := func(p Passwords) {
		t.Helper()
		master := whole(t, set)
		order := slices.DeleteFunc(slices.Clone(set), func(m *member) bool { return m == master })
		for _, m := range append(order, master) {
			if err := m.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.kill()
			m.Passwords = p
			m.start()
			whole(t, set)
		}
	}
	step(Passwords{Chat: "c1", ChatAlso: "new1", System: "s1", SystemAlso: "new2"})
	step(Passwords{Chat: "new1", ChatAlso: "c1", System: "new2", SystemAlso: "s1"})
	step(Passwords{Chat: "new1", System: "new2"})
	if _, err := asUser(t, set[1], "chat", "new1", "ping"); err != nil {
		t.Error(err)
	}
	for user, password := range map[string]string{"chat": "c1", "system": "s1"} {
		if _, err := asUser(t, set[1], user, password, "ping"); err == nil {
			t.Errorf("%s still logs in with the old password", user)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 10.0.0.10\nsearch a.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	given := map[string]string{
		"POD_NAME": "redis-1", "REDIS_NODES": "redis-0.redis,redis-1.redis,redis-2.redis",
		"CHAT_PASSWORD": "c", "SYSTEM_PASSWORD": "s", "REDIS_MAXMEMORY": "1gb",
	}
	sys := System{Env: func(name string) string { return given[name] }, Log: discard, ResolvConf: resolv}
	n, err := fromEnvironment(sys)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.Me.String(), "redis-1.redis.a.svc.cluster.local.:6379"; got != want {
		t.Errorf("I am %s, want %s", got, want)
	}
	if got, want := n.First.String(), "redis-0.redis.a.svc.cluster.local.:6379"; got != want {
		t.Errorf("the first is %s, want %s", got, want)
	}
	if len(n.Peers) != 2 || n.Peers[0] != n.First || n.MaxMemory != "1gb" {
		t.Errorf("%+v", n)
	}
	for name, bad := range map[string]string{
		"POD_NAME": "redis-3", "REDIS_NODES": "redis-1.redis", "CHAT_PASSWORD": "", "SYSTEM_PASSWORD": "two words",
	} {
		was := given[name]
		given[name] = bad
		if _, err := fromEnvironment(sys); err == nil {
			t.Errorf("%s=%q is taken", name, bad)
		} else if name == "SYSTEM_PASSWORD" && strings.Contains(err.Error(), bad) {
			t.Errorf("a password is told: %v", err)
		}
		given[name] = was
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	sys := System{Env: func(string) string { return "" }, Out: &out, Log: discard, ResolvConf: "/dev/null"}
	if err := Command(t.Context(), []string{"--help"}, sys); err != nil || !strings.Contains(out.String(), "chat redis leave") {
		t.Errorf("--help: %v %s", err, out.String())
	}
	for _, bad := range [][]string{{"stop"}, {"ready", "now"}, {"install"}, {"start"}} {
		if err := Command(t.Context(), bad, sys); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	dir := t.TempDir()
	for range 2 { // a pod's init containers may run again
		if err := Command(t.Context(), []string{"install", dir}, sys); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "chat"))
	if err != nil || info.Mode() != 0o555 || info.Size() == 0 {
		t.Errorf("installed: %v %v", info, err)
	}
}

// What Sentinel has written is read back, whatever else stands there.
func TestWrittenMaster(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sentinel.conf")
	if said := writtenMaster(path); said != (naming{}) {
		t.Errorf("without a file: %+v", said)
	}
	const text = "port 26379\nuser chat on >x\nsentinel monitor chat redis-2.redis.a. 6379 2\nsentinel auth-pass chat old\n" +
		"sentinel config-epoch chat 7\nsentinel current-epoch 9\nsentinel sentinel-pass old"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := naming{epoch: 7, master: Addr{Host: "redis-2.redis.a.", Redis: 6379}}
	if said := writtenMaster(path); said != want {
		t.Errorf("%+v, want %+v", said, want)
	}
	kept, err := keptSentinelConf(path)
	if err != nil || strings.Contains(string(kept), "old") || strings.Contains(string(kept), "user") || !strings.HasSuffix(string(kept), "current-epoch 9\n") {
		t.Errorf("kept: %q, %v", kept, err)
	}
}
