package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// fakeChat is a chat in memory that can be told to lie.
type fakeChat struct {
	lie string // of one message, the tenth

	mu      sync.Mutex
	log     []map[string]any
	keys    map[string]int // key → index in log
	readers map[chan []map[string]any]bool
}

func (f *fakeChat) post(p map[string]any) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := p["key"].(string)
	if n, known := f.keys[key]; known {
		return f.log[n]["id"].(string)
	}
	m := map[string]any{"id": fmt.Sprintf("%08d", len(f.log)+1), "key": key, "topic": p["topic"]}
	f.keys[key] = len(f.log)
	f.log = append(f.log, m)
	out := []map[string]any{m}
	if len(f.log) == 10 {
		switch f.lie {
		case "lose":
			return m["id"].(string)
		case "double":
			out = append(out, m)
		case "invent":
			out = append(out, map[string]any{"id": "00000010x", "key": key, "topic": p["topic"]})
		case "unknown key":
			m["key"] = key + "000"
		case "reorder": // the one before comes late, by its id
			out = []map[string]any{m, {"id": "00000001x", "key": f.log[1]["key"], "topic": p["topic"]}}
		}
	}
	for r := range f.readers {
		r <- out
	}
	return m["id"].(string)
}

func (f *fakeChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	news := make(chan []map[string]any, 10_000)
	f.mu.Lock()
	f.readers[news] = true
	f.mu.Unlock()
	defer func() { f.mu.Lock(); delete(f.readers, news); f.mu.Unlock() }()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case messages := <-news:
				_ = send(ctx, conn, map[string]any{"type": "messages", "messages": messages})
			}
		}
	}()
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var got map[string]any
		_ = json.Unmarshal(text, &got)
		switch got["type"] {
		case "hello":
			_ = send(ctx, conn, map[string]any{"type": "welcome", "server": "fake", "cursor": "c", "recovered": got["cursor"] != nil})
		case "post":
			if id := f.post(got); id != "" {
				_ = send(ctx, conn, map[string]any{"type": "ack", "key": got["key"], "id": id})
			}
		}
	}
}

// TestFaults: the books find each lie, and no fault with an honest server.
func TestFaults(t *testing.T) {
	for lie, count := range map[string]func(Report) int{
		"":            nil,
		"lose":        func(r Report) int { return r.Lost },
		"double":      func(r Report) int { return r.Doubled },
		"reorder":     func(r Report) int { return r.Reordered },
		"invent":      func(r Report) int { return r.Strange },
		"unknown key": func(r Report) int { return r.Strange },
	} {
		t.Run("lie="+lie, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(&fakeChat{lie: lie, keys: map[string]int{}, readers: map[chan []map[string]any]bool{}})
			defer server.Close()
			crowd, err := Start(t.Context(), Options{URL: server.URL, Clients: 5, Rate: 200, Topics: 1})
			if err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(10 * time.Second); crowd.Acked() < 50 && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			report := crowd.Stop(time.Second)
			if count == nil {
				if err := report.Faults(); err != nil || report.Connections != 5 || report.Acked != report.Posts {
					t.Errorf("%v: %v", err, report)
				}
			} else if err := report.Faults(); err == nil || count(report) == 0 {
				t.Errorf("it was not found: %v: %v", err, report)
			}
		})
	}
}

func TestNothingIsNoSuccess(t *testing.T) {
	if (Report{}).Faults() == nil {
		t.Error("an empty report passes")
	}
}

func TestBalanceOf(t *testing.T) {
	if b := Balance(map[string]int{"a": 100, "b": 50, "c": 0}); b != 2 {
		t.Errorf("%v, not 2", b)
	}
}
