package redisstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

func TestParseURL(t *testing.T) {
	for _, c := range []struct {
		url  string
		want target
	}{
		{"redis://localhost", target{addrs: []string{"localhost:6379"}}},
		{"redis://localhost:7000/3", target{addrs: []string{"localhost:7000"}, db: 3}},
		{"redis://[::1]:7000/", target{addrs: []string{"[::1]:7000"}}},
		{"redis://[::1]", target{addrs: []string{"[::1]:6379"}}},
		{"redis://:p%40ss%2F@h:1/0", target{addrs: []string{"h:1"}, password: "p@ss/"}},
		{"rediss://ann:secret@h:1", target{addrs: []string{"h:1"}, user: "ann", password: "secret", tls: true}},
		{"redis+sentinel://a,b:1,c/main", target{form: formSentinel, addrs: []string{"a:26379", "b:1", "c:26379"}, master: "main"}},
		{"redis+sentinel://u:p@a,[::1]:5/main/2?sentinel_user=su&sentinel_password=s%26p", target{
			form: formSentinel, addrs: []string{"a:26379", "[::1]:5"}, master: "main", db: 2,
			user: "u", password: "p", sentinelUser: "su", sentinelPass: "s&p",
		}},
		{"rediss+cluster://u:p@a:1,b:2", target{form: formCluster, addrs: []string{"a:1", "b:2"}, user: "u", password: "p", tls: true}},
		{"redis+cluster://a/0", target{form: formCluster, addrs: []string{"a:6379"}}},
	} {
		got, err := parseURL(c.url)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.url, got, err, c.want)
		}
	}
	for _, c := range []struct{ url, says string }{
		{"", "no scheme"},
		{"localhost:6379", "no scheme"},
		{"http://u:hunter2@localhost", "scheme is not one of"},
		{"redis://", "not a host"},
		{"redis://u:hunter2@", "not a host"},
		{"redis://h:port", "not a host"},
		{"redis://h:0", "not a host"},
		{"redis://::1:5", "not a host"},
		{"redis://u:hunter2@a,b", "several hosts"},
		{"redis://u:hunter2@h/x", "database"},
		{"redis://h/-1", "database"},
		{"redis://u:hunter2%zz@h", "malformed"},
		{"redis://h?read_timeout=3s", "not known"},
		{"redis://h/0#x", "#"},
		{"redis+sentinel://a,b", "name of the master"},
		{"redis+sentinel://a,,b/m", "not a host"},
		{"redis+cluster://a/1", "no database"},
		{"redis+cluster://a?sentinel_user=x", "sentinel_user"},
	} {
		_, err := parseURL(c.url)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "redis+cluster://") {
			t.Errorf("%q: error %v, want one about %q that says what to write", c.url, err, c.says)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error repeats the password: %v", c.url, err)
		}
	}
}

func TestOpenChecksOptions(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		says string
	}{
		{Options{URL: "redis://h", Partitions: 257}, "partitions: 257"},
		{Options{URL: "redis://h", Partitions: -1}, "partitions: -1"},
		{Options{URL: "redis://h", MinReplicas: 17}, "min replicas: 17"},
		{Options{URL: "redis://h", MinReplicas: -2}, "min replicas: -2"},
		{Options{URL: "redis://h", KeyPrefix: "a{b}"}, "key prefix"},
	} {
		s, err := Open(c.opt)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v, want one about %q", c.opt, err, c.says)
		}
		if s != nil {
			s.Close()
		}
	}
	for url, want := range map[string][2]int{
		"redis://127.0.0.1:1": {1, 0}, "redis+sentinel://127.0.0.1:1/m": {1, 1}, "redis+cluster://127.0.0.1:1": {clusterPartitions, 1},
	} {
		s, err := Open(Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]int{s.Partitions(), s.opt.MinReplicas}; got != want {
			t.Errorf("%s: partitions and replicas are %v by default, want %v", url, got, want)
		}
		s.Close()
	}
}

// The relations between constants that the comments state.
func TestConstants(t *testing.T) {
	if tailSlice+tailGrace >= 1e9 {
		t.Error("a wait must end within a second of being cancelled")
	}
	if replicaWait+answerMargin >= tryTimeout || answerTimeout < tryTimeout {
		t.Error("WAIT must be over before its try is, and the try before the connection gives up")
	}
	if patienceHA <= tryTimeout {
		t.Error("a try that hangs must leave time for one more")
	}
}

// TestNoSecretsOfAURL: whatever is wrong with a URL, and wherever its password
// has got to, neither the error nor the log repeats any of it.
func TestNoSecretsOfAURL(t *testing.T) {
	for _, raw := range []string{
		"redis://:s3cr/et@h/0", "redis://:s3cr#et@h/0", "redis://:s3cr?et@h/0", "redis://:s3cr?et=1@h/0", "redis://:s3cr%et@h/0",
		"redis://:s3cret/0", "redis://:s3cret", "redis://ann:s3cret.h:6379/0", "redis://ann:s3cret", "redis://ann:s3cr:et",
		"redis://:s3cret@", "redis://:s3cret@h:s3cret", "redis://:s3cret@h/s3cret", "redis://:s3cret@h/0?s3cret=1", "redis://:s3cret@h/0#s3cret",
		"redis://:s3cret@h,s3cret", "redis://s3cret:s3cret@[s3cret", "s3cret", "s3cret://h", "redis:s3cret@h",
		"redis+sentinel://:s3cr/et@a,b/main", "redis+sentinel://:s3cret@a,b", "redis+sentinel://a/main?sentinel_password=s3cr%zzet",
		"redis+sentinel://a/main?sentinel_password=x&s3cret", "redis+sentinel://:s3cr#et@a,b/main", "redis+sentinel://:s3cr?et@a,b/main",
		"redis+cluster://:s3cr/et@a,b", "redis+cluster://:s3cr?et@a,b", "redis+cluster://:s3cret@a/s3cret", "redis+cluster://a,s3cr:et",
		"rediss://:s3cr/et@h/0", "rediss+cluster://:s3cr#et@a:1,b:2",
	} {
		_, err := parseURL(raw)
		if err == nil {
			t.Errorf("%s is taken", raw)
			continue
		}
		if strings.Contains(err.Error(), "s3cr") || strings.Contains(err.Error(), "et@") || !strings.Contains(err.Error(), "percent-encode") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// TestNoSecretsInTheLog: a URL without its @ has the password for a host. No
// error of a call names it, nor does any line of the log, the client's own at
// debug level among them.
func TestNoSecretsInTheLog(t *testing.T) {
	var out safeBuffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	LogClient(logger)
	defer LogClient(slog.New(slog.DiscardHandler))
	for _, raw := range []string{
		"redis://s3cret.invalid:6379", "redis://s3cret.invalid", "redis+sentinel://s3cret.invalid,s3cret-two.invalid/s3cret-main",
		"redis+cluster://s3cret.invalid:7000", "rediss://ann:s3cret@s3cret.invalid/0",
	} {
		s, err := Open(Options{URL: raw, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err = s.State(ctx, 0)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", raw, err)
		}
		_, err = s.Tell(ctx, "a", chat.Here{People: 1})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", raw, err)
		}
		cancel()
		s.Close()
	}
	if text := out.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, "redis trouble begins") {
		t.Errorf("the log:\n%s", text)
	}
}

// safeBuffer is a bytes.Buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestWithoutHosts(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 7}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for want, err := range map[string]error{
		"dial: connection refused":                refused,
		"look up the host: there is no such host": &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "s3cret", Server: "10.1.2.3", IsNotFound: true}},
		"read: timeout":                           fmt.Errorf("redis: %w", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}),
		"dial: it failed":                         &net.OpError{Op: "dial", Err: errors.New("unknown port tcp/s3cret: 10.1.2.3")},
	} {
		got := withoutHosts(err)
		if got.Error() != want || !errors.Is(got, err) {
			t.Errorf("%v became %v; want %s", err, got, want)
		}
	}
	if withoutHosts(nil) != nil || withoutHosts(errClosed) != errClosed {
		t.Error("an error that is not the network's was changed")
	}
	if !errors.Is(withoutHosts(refused), syscall.ECONNREFUSED) {
		t.Error("the cause is lost")
	}
}
