package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// stages are the servers that the tests of conversation run on: over the
// embedded log the same server twice, over Redis two.
func stages(t *testing.T, test func(t *testing.T, pods [2]*pod)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		p := startPod(t, podOptions{})
		test(t, [2]*pod{p, p})
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		redis := redistest.Start(t)
		var pods [2]*pod
		for i := range pods {
			s, err := redisstore.Open(redisstore.Options{URL: redis.URL(), Partitions: 3})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			pods[i] = startPod(t, podOptions{name: fmt.Sprint("chat-", i), store: s})
		}
		test(t, pods)
	})
}

// ann is signed in.
var ann = chat.Principal{Account: "aaaaaaaaaaaaaaaa", Email: "ann@example.org", Name: "Ann"}

func (p *pod) post(t testing.TB, who chat.Principal, d chat.Draft) chat.Message {
	t.Helper()
	if !who.SignedIn() && d.Email == "" {
		d.Name, d.Email = "Bob", "bob@example.org"
	}
	m, _, err := p.service.Post(t.Context(), who, d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (p *pod) vote(t testing.TB, id chat.ID, voter string, vote int) {
	t.Helper()
	_, err := p.service.Vote(t.Context(), chat.Guest, chat.VoteDraft{Message: id, Vote: vote, Name: "V", Email: voter})
	if err != nil {
		t.Error(err)
	}
}

// update is one entry of an updates frame.
type update struct {
	ID                string
	Up, Down, Replies int64
	Deleted           bool
}

// said is any frame, as far as these tests look at it.
type said struct {
	Type      string
	Code      string
	Cursor    string
	Recovered bool
	More      bool
	Before    string
	Numbers   *bool
	Features  []string
	Messages  []struct {
		ID, Key, Content  string
		Up, Down, Replies int64
		Vote              int
		Deleted           bool
		ReplyTo           string `json:"reply_to"`
	}
	Updates []update
}

func hear(t testing.TB, c *rawConn) said {
	t.Helper()
	got := c.next()
	text, ok := strings.CutPrefix(got, "text ")
	if !ok {
		t.Fatalf("got %s, want a frame", got)
	}
	var f said
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

// hearType passes over frames until one of a type.
func hearType(t testing.TB, c *rawConn, kind string) said {
	t.Helper()
	// However long the test did something else before.
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for {
		if f := hear(t, c); f.Type == kind {
			return f
		}
	}
}

func dial(t testing.TB, p *pod, hello string) (*rawConn, said) {
	t.Helper()
	c := openRaw(t, p)
	t.Cleanup(func() { c.Close() })
	c.write(text(hello))
	return c, hearType(t, c, "welcome")
}

// eventually polls, for what another server hears a moment later.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("gave up waiting")
		}
	}
}

// lockedBuffer is a log of a server.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
