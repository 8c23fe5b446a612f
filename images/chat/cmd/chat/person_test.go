package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

type message struct {
	ID, Key, Topic, Name, Email, Time, Content string
}

// person is a client as the wire contract describes it, made with a foreign
// WebSocket library: it resumes by cursor after every close, on the next
// server of its list, opens its second connection before it leaves the first
// when it hears bye, and sends again, with the same key, what was not
// acknowledged. It notes everything that should never happen.
type person struct {
	t     *testing.T
	name  string
	addrs []string

	mu          sync.Mutex
	seen        []message
	ids         map[string]bool
	acked       map[string]string // key → id
	outbox      []string          // frames of posts not acknowledged, in order
	cursor      string
	online      int
	connects    int
	closes      int
	byes        int
	unavailable int
	repeats     int
	unrecovered int
	topics      []string // nil: all

	conn   *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// newPerson connects and waits for the first welcome.
func newPerson(t *testing.T, name string, addrs ...string) *person {
	t.Helper()
	return newPersonOf(t, name, nil, addrs...)
}

// newPersonOf is newPerson for these topics alone.
func newPersonOf(t *testing.T, name string, topics []string, addrs ...string) *person {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &person{t: t, name: name, addrs: addrs, topics: topics, ids: map[string]bool{}, acked: map[string]string{}, ctx: ctx, cancel: cancel}
	p.done.Go(p.live)
	t.Cleanup(p.leave)
	until(t, name+" is welcomed", func() bool { return p.get(func() bool { return p.connects > 0 }) })
	return p
}

func (p *person) leave() {
	p.cancel()
	p.done.Wait()
}

func (p *person) get(f func() bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f()
}

// live connects, again and again, until the person leaves. Two connections
// overlap after bye: the old one is read until the new one is welcomed.
func (p *person) live() {
	for n := 0; p.ctx.Err() == nil; n++ {
		p.session(p.addrs[n%len(p.addrs)])
		select {
		case <-time.After(20 * time.Millisecond): // back-off, short for tests
		case <-p.ctx.Done():
		}
	}
}

// session runs one connection until it is closed or, after bye, left.
func (p *person) session(addr string) {
	dial, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	conn, _, err := websocket.Dial(dial, "ws://"+addr+"/ws", nil)
	cancel()
	if err != nil {
		return
	}
	conn.SetReadLimit(16 << 20)
	defer conn.CloseNow()
	// A first hello asks for everything these tests have stored by then: of the
	// 50 messages that a server sends unasked, the oldest can be one too many.
	hello := map[string]any{"type": "hello", "limit": 200}
	p.mu.Lock()
	if p.cursor != "" {
		hello["cursor"] = p.cursor
	}
	if p.topics != nil {
		hello["topics"] = p.topics
	}
	p.mu.Unlock()
	text, _ := json.Marshal(hello)
	if conn.Write(p.ctx, websocket.MessageText, text) != nil {
		return
	}
	for {
		_, text, err := conn.Read(p.ctx)
		if err != nil {
			p.mu.Lock()
			p.closes++
			if p.conn == conn {
				p.conn = nil
			}
			p.mu.Unlock()
			return
		}
		if !p.hear(conn, text) {
			conn.Close(websocket.StatusNormalClosure, "")
			return
		}
	}
}

type frame struct {
	Type, Code, Key, ID, Cursor string
	Messages                    []message
	Recovered                   bool
	Online                      int
}

// hear handles a frame; false means that the connection is to be left.
func (p *person) hear(conn *websocket.Conn, text []byte) bool {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil {
		p.t.Errorf("%s: frame %s: %v", p.name, text, err)
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f.Type {
	case "welcome":
		if p.cursor != "" && !f.Recovered {
			p.unrecovered++
		}
		p.connects++
		p.conn = conn
		p.take(f)
		for _, post := range p.outbox { // once more, with the same keys
			_ = conn.Write(p.ctx, websocket.MessageText, []byte(post)) // a dead one is noticed by Read
		}
	case "messages":
		p.take(f)
	case "ack":
		p.acked[f.Key] = f.ID
		p.outbox = slices.DeleteFunc(p.outbox, func(post string) bool { return keyOf(post) == f.Key })
	case "presence":
		p.online = f.Online
	case "error":
		if f.Code != "unavailable" || f.Key == "" {
			p.t.Errorf("%s: %s", p.name, text)
			break
		}
		p.unavailable++
		for _, post := range p.outbox {
			if keyOf(post) == f.Key {
				time.AfterFunc(200*time.Millisecond, func() { p.send(post) })
			}
		}
	case "bye":
		p.byes++
		return false // these tests' person leaves at once; the page does better
	}
	return true
}

func keyOf(post string) string {
	var f frame
	_ = json.Unmarshal([]byte(post), &f) // made by post
	return f.Key
}

func (p *person) take(f frame) {
	for _, m := range f.Messages {
		if p.ids[m.ID] {
			p.repeats++
			continue
		}
		p.ids[m.ID] = true
		p.seen = append(p.seen, m)
	}
	p.cursor = f.Cursor
}

func (p *person) send(post string) {
	p.mu.Lock()
	conn := p.conn
	p.mu.Unlock()
	if conn != nil {
		_ = conn.Write(p.ctx, websocket.MessageText, []byte(post)) // a dead one is noticed by Read
	}
}

// post hands in a message; it stays in the outbox until it is acknowledged.
func (p *person) post(key, topic, content string) {
	text, _ := json.Marshal(map[string]string{
		"type": "post", "key": key, "topic": topic, "name": p.name, "email": p.name + "@example.org", "content": content,
	})
	p.mu.Lock()
	p.outbox = append(p.outbox, string(text))
	p.mu.Unlock()
	p.send(string(text))
}

// settled waits until everything is acknowledged and n messages were seen.
func (p *person) settled(t *testing.T, n int) {
	t.Helper()
	var waiting, seen int
	defer func() {
		if t.Failed() {
			t.Logf("%s has seen %d of %d, %d are not acknowledged", p.name, seen, n, waiting)
		}
	}()
	until(t, p.name+" is settled", func() bool {
		return p.get(func() bool { waiting, seen = len(p.outbox), len(p.seen); return waiting == 0 && seen >= n })
	})
}

// faultless fails the test for anything that must never happen.
func (p *person) faultless(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.repeats > 0 || p.unrecovered > 0 {
		t.Errorf("%s got %d messages twice, and %d times a cursor was not honoured", p.name, p.repeats, p.unrecovered)
	}
	last := map[string]string{}
	for _, m := range p.seen {
		if m.ID <= last[m.Topic] {
			t.Errorf("%s got %s after %s in topic %s", p.name, m.ID, last[m.Topic], m.Topic)
		}
		last[m.Topic] = m.ID
	}
}

// history reads the whole log over HTTP, page by page.
func history(t *testing.T, addr string) []message {
	t.Helper()
	var all []message
	for before := ""; ; {
		resp, err := http.Get(fmt.Sprintf("http://%s/api/v1/messages?limit=200&before=%s", addr, before))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var page struct {
			Messages []message
			More     bool
		}
		if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(body, &page) != nil {
			t.Fatalf("history: %d %s %v", resp.StatusCode, body, err)
		}
		all = append(page.Messages, all...)
		if !page.More {
			return all
		}
		before = page.Messages[0].ID
	}
}

// storedOnce checks that the log holds every acknowledged key exactly once,
// under the acknowledged id.
func storedOnce(t *testing.T, addr string, people ...*person) {
	t.Helper()
	byKey := map[string][]string{}
	for _, m := range history(t, addr) {
		byKey[m.Key] = append(byKey[m.Key], m.ID)
	}
	for _, p := range people {
		p.mu.Lock()
		for key, id := range p.acked {
			if ids := byKey[key]; len(ids) != 1 || ids[0] != id {
				t.Errorf("%s's %s was acknowledged as %s and is stored as %v", p.name, key, id, ids)
			}
		}
		p.mu.Unlock()
	}
}
