package server

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestConnectionsWithin(t *testing.T) {
	for _, c := range []struct {
		descriptors uint64
		redis       bool
		want        int
	}{
		{200, false, 152}, {200, true, 100}, {1024, true, 768}, {10, false, 5}, {1 << 63, false, 1<<30 - 48},
	} {
		if got := ConnectionsWithin(c.descriptors, c.redis); got != c.want {
			t.Errorf("%d descriptors, Redis %v: %d connections; want %d", c.descriptors, c.redis, got, c.want)
		}
	}
}

// lines is a log that several goroutines write.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestLimitedListener holds as many connections as are allowed: the next are
// answered 503 as HTTP has it, and when one of the first goes there is room.
func TestLimitedListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	const most = 5
	l := Limit(inner, most, slog.New(slog.NewTextHandler(log, nil)))
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	defer serving.Wait()
	defer s.Close()

	ask := func(conn net.Conn) (*http.Response, error) {
		t.Helper()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: chat\r\n\r\n"); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return nil, err
		}
		_, err = io.ReadAll(resp.Body)
		return resp, err
	}
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	var held []net.Conn
	for range most {
		conn := dial()
		defer conn.Close()
		if resp, err := ask(conn); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("within the limit: %v, %v", resp, err)
		}
		held = append(held, conn)
	}
	for range 3 * refusing {
		conn := dial()
		resp, err := ask(conn)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Fatalf("above the limit: %v, %v", resp, err)
		}
		conn.Close()
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines for %d refusals:\n%s", n, 3*refusing, log)
	}
	held[0].Close()
	for deadline := time.Now().Add(20 * time.Second); ; {
		conn := dial()
		resp, err := ask(conn)
		conn.Close()
		if err == nil && resp.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no room after a connection has gone")
		}
	}
}
