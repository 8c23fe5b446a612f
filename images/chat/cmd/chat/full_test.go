package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/redistest"
)

// TestPostsComeBackByAge fills a Redis to its maxmemory, which stays as it is.
// Posts are refused, and everybody who should know is told why. A pod that
// starts now gets ready, and people come to it. When what was said is past its
// age, retention removes it, which needs no memory, and posts are taken again.
func TestPostsComeBackByAge(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	start := func() *pod {
		// The budget is out of reach: Redis itself is the limit.
		p := startPod(t, "--redis-url", redis.URL(), "--keep-age", "10s", "--redis-memory", "1099511627776")
		until(t, "the pod is ready", func() bool { return p.status("/readyz") == http.StatusOK })
		return p
	}
	first := start()
	used, err := strconv.Atoi(redis.Info("used_memory"))
	if err != nil {
		t.Fatal(err)
	}
	redis.Do("config", "set", "maxmemory", used+2<<20)

	said := strings.Repeat("x", 4000)
	acked, refused, began := 0, 0, time.Now()
	post := func(p *pod) bool {
		t.Helper()
		body := fmt.Sprintf(`{"key":"k%d","topic":"tea","name":"Ann","email":"ann@example.org","content":"%s"}`, acked+refused, said)
		status, text := p.ask(http.MethodPost, "/api/v1/messages", body)
		switch {
		case status == http.StatusCreated:
			acked++
			return true
		case status == http.StatusServiceUnavailable && strings.Contains(text, "the message log is full"):
			refused++
			return false
		}
		t.Fatalf("post: %d %s", status, text)
		return false
	}
	for post(first) {
		if acked > 5000 {
			t.Fatal("Redis does not get full")
		}
	}
	filled := acked
	second := start()
	// A full Redis refuses one write and takes the next, smaller one, and readyz tells what is so now.
	for _, p := range []*pod{first, second} {
		until(t, "readyz says what does not work", func() bool {
			post(p)
			_, text := p.ask(http.MethodGet, "/readyz", "")
			return strings.HasPrefix(text, "ready\n") && strings.Contains(text, "writes of partition 0 fail") && strings.Contains(text, "is full (OOM)")
		})
	}
	late := newPerson(t, "late", second.addr)
	until(t, "a pod that started on a full Redis welcomes people", func() bool { return late.get(func() bool { return late.connects == 1 }) })

	until(t, "posts are taken again", func() bool { return post(first) })
	t.Logf("full after %d messages, taken again after %v, %d refused meanwhile", filled, time.Since(began).Round(time.Second), refused)
	until(t, "posts are taken on the other pod, too", func() bool { return post(second) })
	for i, p := range []*pod{first, second} {
		until(t, "readyz has nothing to say", func() bool {
			_, text := p.ask(http.MethodGet, "/readyz", "")
			return text == "ready\n"
		})
		said := func(word string) int {
			log, err := os.ReadFile(p.log.Name())
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(string(log)) {
				if strings.Contains(line, "access=writes cause=OOM") {
					n += strings.Count(line, word)
				}
			}
			return n
		}
		until(t, "the log says that it is over", func() bool { return said("trouble is over") > 0 })
		if begins, ends := said("trouble begins"), said("trouble is over"); begins != 1 || ends != 1 {
			t.Errorf("pod %d: OOM is logged %d times as begun and %d times as over", i, begins, ends)
		}
		if n, _ := strconv.Atoi(metric(t, p, `chat_store_failures_total{access="writes",cause="OOM"}`)); n == 0 {
			t.Errorf("pod %d counts no failures", i)
		}
	}
}

// ask makes one request with a body of JSON, or none, and reads the answer.
func (p *pod) ask(method, path, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url(path), strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
