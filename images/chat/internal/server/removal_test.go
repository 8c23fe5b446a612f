package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// late is a store whose directory tells of changes a second late, as it may,
// and whose history takes a while: what must hold at once has to hold by other
// means.
type late struct{ *redisstore.Store }

func (l late) Before(ctx context.Context, part int, topic string, before chat.Pos, max int) ([]chat.Event, error) {
	time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
	return l.Store.Before(ctx, part, topic, before, max)
}

func (l late) directory() people.Directory { return lateDirectory{l.Directory()} }

type lateDirectory struct{ people.Directory }

func (d lateDirectory) Changes(ctx context.Context, after string, wait time.Duration) ([]people.Change, string, error) {
	list, next, err := d.Directory.Changes(ctx, after, wait)
	if len(list) > 0 {
		time.Sleep(time.Second)
	}
	return list, next, err
}

// TestNothingReachesTheRemoved races posts to a room with removals, over three
// servers on Redis that fails over in the middle. No post that was sent after
// a removal was answered may reach the removed: not on the sockets they have,
// not on those they open with an old cursor, not by history.
func TestNothingReachesTheRemoved(t *testing.T) {
	if testing.Short() {
		t.Skip("a failover takes seconds")
	}
	ha := redistest.StartHA(t)
	var pods []*pod
	for i := range 3 {
		s, err := redisstore.Open(redisstore.Options{URL: ha.URL(), Partitions: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		pods = append(pods, startPod(t, podOptions{name: fmt.Sprint("chat-", i), store: late{s}}))
	}
	anyPod := func() *pod { return pods[rand.IntN(len(pods))] }

	const victims = 6
	owner, stays := enrol(t, pods[0], "owner"), enrol(t, pods[0], "stays")
	members := []someone{stays}
	for i := range victims {
		members = append(members, enrol(t, pods[0], fmt.Sprint("victim", i)))
	}
	room := roomOf(t, pods[0], owner, members...)

	var sent atomic.Int64 // posts numbered so far; each gets its number before it is sent
	var stop atomic.Bool
	var running sync.WaitGroup
	// send makes a call again and again until it is answered with this status.
	send := func(p func() *pod, who someone, method, path, body string, want ...int) bool {
		for !stop.Load() {
			req, err := http.NewRequest(method, p().url+"/api/v1"+path, strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return false
			}
			req.Header.Set("Authorization", "Bearer "+who.token)
			if body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				continue
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			for _, status := range want {
				if resp.StatusCode == status {
					return true
				}
			}
			if resp.StatusCode < 500 {
				t.Errorf("%s %s: %s", method, path, resp.Status)
				return false
			}
			time.Sleep(10 * time.Millisecond)
		}
		return false
	}
	for worker := range 4 {
		running.Go(func() {
			for !stop.Load() {
				n := sent.Add(1)
				send(anyPod, owner, "POST", "/messages", fmt.Sprintf(`{"key":"w%d-%d","topic":%q,"content":"number %d."}`, worker, n, room, n), 200, 201)
			}
		})
	}

	// limits says from which post on a member must see nothing.
	limits := make([]atomic.Int64, len(members))
	highest := make([]atomic.Int64, len(members))
	number := regexp.MustCompile(`number (\d+)\.`)
	saw := func(i int, road, text string) {
		for _, m := range number.FindAllStringSubmatch(text, -1) {
			n, _ := strconv.ParseInt(m[1], 10, 64)
			if limit := limits[i].Load(); limit > 0 && n > limit {
				t.Errorf("%s: member %d, removed before post %d was sent, got post %d", road, i, limit+1, n)
				stop.Store(true)
			}
			for {
				old := highest[i].Load()
				if n <= old || highest[i].CompareAndSwap(old, n) {
					break
				}
			}
		}
	}
	// listen opens a socket, notes what comes, and gives the last cursor.
	listen := func(i int, p *pod, cursor string, until func() bool) string {
		c := openRaw(t, p)
		defer c.Close()
		hello := map[string]any{"type": "hello", "token": members[i].token, "topics": []string{"*"}, "limit": 20}
		if cursor != "" {
			hello["cursor"] = cursor
		}
		b, _ := json.Marshal(hello)
		c.write(text(string(b)))
		for !until() {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			got, err := c.read()
			if err != nil || ended(got) || strings.HasPrefix(got, "close") {
				return cursor
			}
			saw(i, p.addr, got)
			var f struct{ Cursor string }
			if words, ok := strings.CutPrefix(got, "text "); ok && json.Unmarshal([]byte(words), &f) == nil && f.Cursor != "" {
				cursor = f.Cursor
			}
		}
		return cursor
	}
	for i := range members {
		for _, p := range pods {
			running.Go(func() { // stays connected
				for cursor := ""; !stop.Load(); {
					cursor = listen(i, p, cursor, stop.Load)
				}
			})
		}
		if i%2 == 1 {
			continue // whoever reads history lets its server know of a removal: these stay connected alone
		}
		running.Go(func() { // comes back with an old cursor, again and again
			for cursor := ""; !stop.Load(); {
				began := time.Now()
				next := listen(i, anyPod(), cursor, func() bool { return stop.Load() || time.Since(began) > 100*time.Millisecond })
				if rand.IntN(2) == 0 {
					cursor = next
				}
			}
		})
		running.Go(func() { // reads history
			for !stop.Load() {
				req, _ := http.NewRequest("GET", anyPod().url+"/api/v1/messages?limit=50", nil)
				req.Header.Set("Authorization", "Bearer "+members[i].token)
				if resp, err := http.DefaultClient.Do(req); err == nil {
					b, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					saw(i, "history", string(b))
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	wait := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(3 * patience); !done() && !stop.Load(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("gave up waiting: %s", what)
				stop.Store(true)
			}
		}
	}
	more := func(n int64) {
		t.Helper()
		at := sent.Load()
		wait("posts go on", func() bool { return sent.Load() >= at+n })
	}
	for i := 1; i < len(members); i++ {
		more(40)
		if i == victims/2 {
			ha.Master.Kill()
			ha.AwaitMaster()
		}
		if send(anyPod, owner, "DELETE", "/rooms/"+room+"/members/"+members[i].mail, "", 204) {
			limits[i].Store(sent.Load())
		}
	}
	more(100)
	last := sent.Load()
	wait("who stays has heard of the last posts", func() bool { return highest[0].Load() >= last })
	stop.Store(true)
	running.Wait()
	for i := 1; i < len(members); i++ {
		if highest[i].Load() == 0 {
			t.Errorf("member %d saw nothing even before it was removed", i)
		}
	}
}
