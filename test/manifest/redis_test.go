package manifest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// redisConfig is what redis.sh writes when it starts as master, with other
// folders and another port.
func redisConfig(t *testing.T, dir string, port int) string {
	t.Helper()
	var scripts map[string]string
	for _, c := range all[*corev1.ConfigMap](load(t)) {
		if c.Name == "redis" {
			scripts = c.Data
		}
	}
	for name, text := range scripts {
		text = strings.NewReplacer(
			"/etc/redis/", dir+"/", "/data", dir,
			"$(hostname)", "redis-0",
			"exec redis-server", "exit 0; exec redis-server",
			"port 6379", fmt.Sprint("port ", port),
			// There is one here.
			"min-replicas-to-write 1", "min-replicas-to-write 0",
		).Replace(text)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := exec.Command("sh", filepath.Join(dir, "redis.sh"))
	start.Env = append(os.Environ(), "CHAT_PASSWORD=c1", "CHAT_PASSWORD_ALSO=c2", "SYSTEM_PASSWORD=s1", "SYSTEM_PASSWORD_ALSO=")
	if out, err := start.CombinedOutput(); err != nil || !strings.Contains(string(out), "master is redis-0.redis") {
		t.Fatalf("redis.sh: %v\n%s", err, out)
	}
	return filepath.Join(dir, "redis.conf")
}

// TestRedisReadsBackWhatItAcknowledged: with the manifest's own users and
// settings, what a script wrote is there after kill -9. (It once was not: a
// default user without rights makes Redis drop its transactions on loading.)
func TestRedisReadsBackWhatItAcknowledged(t *testing.T) {
	for _, tool := range []string{"redis-server", "redis-cli", "timeout"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s here", tool)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := redisConfig(t, t.TempDir(), port)
	cli := func(args ...string) string {
		out, _ := exec.Command("redis-cli", append([]string{"--no-auth-warning", "-h", "127.0.0.1", "-p", fmt.Sprint(port)}, args...)...).CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	serve := func() *exec.Cmd {
		server := exec.Command("redis-server", config)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
		for end := time.Now().Add(20 * time.Second); cli("--user", "system", "--pass", "s1", "ping") != "PONG"; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("redis-server does not answer")
			}
		}
		return server
	}
	server := serve()
	const script = "redis.call('XADD', KEYS[1], '*', 'a', '1'); redis.call('HSET', KEYS[2], 'b', '2'); return 'written'"
	if said := cli("--user", "chat", "--pass", "c1", "eval", script, "2", "chat:{p0}:log", "chat:{p0}:meta"); said != "written" {
		t.Fatalf("user chat: %s", said)
	}
	for _, denied := range [][]string{
		{"ping"},
		{"--user", "chat", "--pass", "s1", "ping"},
		{"--user", "chat", "--pass", "c1", "get", "other"},
		{"--user", "chat", "--pass", "c1", "flushall"},
		{"--user", "chat", "--pass", "c1", "config", "get", "*"},
		{"--user", "chat", "--pass", "c1", "keys", "*"},
	} {
		if said := cli(denied...); !regexp.MustCompile(`NOAUTH|NOPERM|WRONGPASS`).MatchString(said) {
			t.Errorf("%v: %s", denied, said)
		}
	}
	if said := cli("--user", "chat", "--pass", "c2", "hget", "chat:{p0}:meta", "b"); said != "2" {
		t.Errorf("the other password: %s", said)
	}
	_ = server.Process.Kill()
	_ = server.Wait()
	serve()
	if said := cli("--user", "chat", "--pass", "c1", "hget", "chat:{p0}:meta", "b"); said != "2" {
		t.Errorf("after kill -9 it has %q", said)
	}
	if said := cli("--user", "chat", "--pass", "c1", "xlen", "chat:{p0}:log"); said != "1" {
		t.Errorf("after kill -9 the stream has %q entries", said)
	}
}
