package server_test

import (
	"net/http"
	"strings"
	"testing"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/server"
)

// TestReadLimitOverHTTP: reads of one source are limited together; posts are
// counted apart.
func TestReadLimitOverHTTP(t *testing.T) {
	reads := limit.NewKeyed(limit.Rate{PerSecond: 0.001, Burst: 2})
	p := startPod(t, podOptions{edge: server.Config{Reads: reads}})
	get := func(path string) *http.Response {
		t.Helper()
		resp, err := http.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for _, path := range []string{"/api/v1/messages", "/api/v1/topics"} {
		if resp := get(path); resp.StatusCode != http.StatusOK {
			t.Errorf("%s within the limit: %d", path, resp.StatusCode)
		}
	}
	for _, path := range []string{"/api/v1/messages?limit=1", "/api/v1/topics?limit=1"} {
		if resp := get(path); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s above the limit: %d, Retry-After %q", path, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	p.post(t, chat.Guest, chat.Draft{Key: "k", Topic: "tea", Content: "posts go on"})
	if resp := get("/healthz"); resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %d", resp.StatusCode)
	}
}

// TestTopicsPageBytes: a page of topics ends before it is too large, and the
// pages together have every topic.
func TestTopicsPageBytes(t *testing.T) {
	p := startPod(t, podOptions{})
	const topics = 700
	for i := range topics {
		name := strings.Repeat("\U0001F375", chat.MaxTopic-3) + string([]byte{byte('0' + i/100), byte('0' + i/10%10), byte('0' + i%10)})
		p.post(t, chat.Guest, chat.Draft{Key: name[len(name)-3:], Topic: name, Content: "x"})
	}
	type list struct {
		Topics []struct{ Topic string }
		Next   string
	}
	seen, pages, after := map[string]bool{}, 0, ""
	for {
		got := call(t, "GET", p.url+"/api/v1/topics?limit=1000"+after, "")
		if pages++; got.ContentLength > 256<<10 || pages > 10 {
			t.Fatalf("page %d has %d bytes", pages, got.ContentLength)
		}
		page := decode[list](t, got)
		for _, topic := range page.Topics {
			seen[topic.Topic] = true
		}
		if page.Next == "" {
			break
		}
		after = "&after=" + page.Next
	}
	if len(seen) != topics || pages < 2 {
		t.Errorf("%d topics in %d pages; want %d in several", len(seen), pages, topics)
	}
}
