package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"chatapp/chat/internal/redistest"
)

// crowd is what presence tells.
type crowd struct{ Online, Guests, Users int }

// sitter is a socket that hears presence and nothing else.
type sitter struct {
	mu   sync.Mutex
	last crowd
	conn *websocket.Conn
}

// sit opens a socket of somebody; "" is a guest.
func sit(t *testing.T, p *pod, token string) *sitter {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conn, _, err := websocket.Dial(ctx, "ws://"+p.addr+"/ws", nil)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	hello := map[string]any{"type": "hello", "topics": []string{}}
	if token != "" {
		hello["token"] = token
	}
	text, _ := json.Marshal(hello)
	if err := conn.Write(ctx, websocket.MessageText, text); err != nil {
		cancel()
		t.Fatal(err)
	}
	s := &sitter{conn: conn}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			_, text, err := conn.Read(ctx)
			if err != nil {
				return
			}
			var f struct {
				Type string
				crowd
			}
			if json.Unmarshal(text, &f) == nil && f.Type == "presence" {
				s.mu.Lock()
				s.last = f.crowd
				s.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { cancel(); conn.CloseNow(); reading.Wait() })
	return s
}

func (s *sitter) heard() crowd {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// TestPresenceAfterKilledPods: pods are killed, with kill -9 and people on them;
// once things are still, everybody left is told the exact numbers.
func TestPresenceAfterKilledPods(t *testing.T) {
	t.Parallel()
	pods := startPods(t, 3, redistest.Start(t).URL())
	ann, ben := register(t, pods[0], "ann"), register(t, pods[0], "ben")
	var left []*sitter // those on the pod that stays
	for i, p := range pods {
		for _, token := range []string{ann.token, "", ""} { // ann has a tab on each pod
			s := sit(t, p, token)
			if i == 0 {
				left = append(left, s)
			}
		}
	}
	sit(t, pods[1], ben.token) // ben is on a pod that dies, alone
	still := func(what string, want crowd) {
		t.Helper()
		defer func() {
			if t.Failed() {
				t.Logf("last told: %+v; want %+v", left[0].heard(), want)
			}
		}()
		for _, s := range left {
			until(t, what, func() bool { return s.heard() == want })
		}
	}
	still("all are counted", crowd{Online: 10, Guests: 6, Users: 2})
	pods[1].kill()
	still("those of the killed pod are not counted any more", crowd{Online: 6, Guests: 4, Users: 1})
	pods[1].start()
	until(t, "the pod is ready again", func() bool { return pods[1].status("/readyz") == http.StatusOK })
	back := sit(t, pods[1], ben.token)
	left = append(left, back)
	still("who comes back is counted once", crowd{Online: 7, Guests: 4, Users: 2})
	pods[2].kill()
	still("nor those of another", crowd{Online: 4, Guests: 2, Users: 2})
}

// TestSignInFlood sends far more sign-ins than a pod can hash, while people
// talk on it. Each is answered, some with 429; what people say is delivered to
// everybody, once and in order; the pod's memory stays within what hashing may
// take beside what it had.
func TestSignInFlood(t *testing.T) {
	t.Parallel()
	const memory = 96 << 20 // of --hash-memory
	p := startPod(t, "--data", t.TempDir(), "--post-rate", "0", "--sign-in-rate", "0", "--hash-memory", fmt.Sprint(memory))
	register(t, p, "victim")
	ann, ben := newPerson(t, "ann", p.addr), newPerson(t, "ben", p.addr)
	before := peak(t, p)

	const clients, each, messages = 200, 5, 400
	var statuses [600]atomic.Int64
	var flood sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: patience}
	defer client.CloseIdleConnections()
	var begun sync.WaitGroup
	begun.Add(clients)
	for c := range clients {
		flood.Go(func() {
			begun.Done()
			for i := range each {
				body := fmt.Sprintf(`{"email":"nobody-%d-%d@example.net","password":"a wrong password"}`, c, i)
				resp, err := client.Post(p.url("/api/v1/session"), "application/json", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				statuses[resp.StatusCode].Add(1)
			}
		})
	}
	begun.Wait()
	for i := range messages {
		ann.post(fmt.Sprint("k", i), "tea", fmt.Sprint("number ", i))
	}
	for _, one := range []*person{ann, ben} {
		one.settled(t, messages)
		one.faultless(t)
		one.mu.Lock()
		for i, m := range one.seen {
			if m.Content != fmt.Sprint("number ", i) {
				t.Errorf("%s was shown %q at place %d", one.name, m.Content, i)
			}
		}
		if one.connects != 1 || one.closes != 0 {
			t.Errorf("%s connected %d times and was closed %d times", one.name, one.connects, one.closes)
		}
		one.mu.Unlock()
	}
	flood.Wait()
	unauthorised, limited := statuses[http.StatusUnauthorized].Load(), statuses[http.StatusTooManyRequests].Load()
	if unauthorised == 0 || limited == 0 || unauthorised+limited != clients*each {
		t.Errorf("%d answered 401 and %d 429, of %d", unauthorised, limited, clients*each)
	}
	after := peak(t, p)
	t.Logf("%d hashed, %d told to wait; the most memory was %d MiB before and %d MiB after", unauthorised, limited, before>>20, after>>20)
	// Beside hashes: 200 connections and what 400 messages take.
	if grown := after - before; len(raceFlag) == 0 && grown > memory+32<<20 {
		t.Errorf("the flood took %d MiB; hashing may take %d", grown>>20, memory>>20)
	}
}

// peak is the most memory that a pod has had so far, in bytes; 0 where the
// system does not tell.
func peak(t *testing.T, p *pod) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}
