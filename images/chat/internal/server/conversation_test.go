package server_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/localstore"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// TestDeletedIsBlankOnEveryRoad: its content is given by no road.
func TestDeletedIsBlankOnEveryRoad(t *testing.T) {
	t.Parallel()
	stages(t, func(t *testing.T, pods [2]*pod) {
		const secret = "the-secret-words"
		draft := chat.Draft{Key: "k", Topic: "tea", Content: secret}
		m := pods[0].post(t, ann, draft)
		reply := pods[1].post(t, chat.Guest, chat.Draft{Key: "r", Topic: "tea", Content: "a reply", ReplyTo: m.ID})
		pods[0].vote(t, m.ID, "v@example.org", 1)
		reader, welcome := dial(t, pods[1], `{"type":"hello","limit":0}`)

		for who, want := range map[chat.Principal]chat.Code{
			chat.Guest: chat.CodeUnauthorised,
			{Account: "bbbbbbbbbbbbbbbb", Email: "b@example.org"}: chat.CodeUnauthorised,
		} {
			if err := pods[0].service.Delete(t.Context(), who, m.ID); chat.AsError(err).Code != want {
				t.Errorf("deleted by %+v: %v", who, err)
			}
		}
		if err := pods[0].service.Delete(t.Context(), ann, chat.ID{Pos: chat.Pos{Ms: 5}}); chat.AsError(err).Code != chat.CodeNotFound {
			t.Errorf("an unknown id: %v", err)
		}
		expectProblem(t, call(t, http.MethodDelete, pods[0].url+"/api/v1/messages/"+m.ID.String(), ""), http.StatusUnauthorized, "unauthorised")

		for range 2 { // again: the same
			if err := pods[0].service.Delete(t.Context(), ann, m.ID); err != nil {
				t.Fatal(err)
			}
		}
		// roads gives what a server shows of the topic, by every road.
		roads := func(p *pod) string {
			var all strings.Builder
			for _, query := range []string{"", "?topic=tea", "?reply_to=" + m.ID.String(), "?filter=" + secret, "?filter=-nothing"} {
				all.WriteString(bodyOf(t, call(t, http.MethodGet, p.url+"/api/v1/messages"+query, "")))
			}
			for _, hello := range []string{
				`{"type":"hello"}`, `{"type":"hello","filter":"secret"}`, fmt.Sprintf(`{"type":"hello","cursor":%q}`, welcome.Cursor),
			} {
				c := openRaw(t, p)
				c.write(text(hello))
				c.write(text(`{"type":"history","ref":"h","topic":"tea"}`))
				for {
					got := c.next()
					all.WriteString(got)
					if strings.Contains(got, `"type":"history"`) {
						break
					}
				}
				c.Close()
			}
			again, repeated, err := p.service.Post(t.Context(), ann, draft)
			if err != nil || !repeated || again.ID != m.ID {
				t.Errorf("the same key again: %+v, %v, %v", again, repeated, err)
			}
			all.WriteString(again.Content)
			return all.String()
		}
		got := roads(pods[0]) // at once, on the server that answered
		if strings.Contains(got, secret) {
			t.Errorf("the deleted content is shown: %s", got)
		}
		if !strings.Contains(got, `"content":"","replies":1,"up":1,"deleted":true`) && !strings.Contains(got, `"content":"","deleted":true,"replies":1,"up":1`) {
			t.Errorf("what is left of a deleted message: %s", got)
		}
		if !strings.Contains(got, `"id":"`+reply.ID.String()) {
			t.Errorf("its reply is gone: %s", got)
		}
		for {
			f := hearType(t, reader, "updates")
			if f.Updates[0].Deleted {
				break
			}
		}
		if got := roads(pods[1]); strings.Contains(got, secret) { // it has told of the deletion
			t.Errorf("the other server shows the deleted content: %s", got)
		}
		_, err := pods[1].service.Vote(t.Context(), ann, chat.VoteDraft{Message: m.ID, Vote: 1})
		if chat.AsError(err).Code != chat.CodeNotFound {
			t.Errorf("a vote on a deleted message: %v", err)
		}
		_, _, err = pods[1].service.Post(t.Context(), ann, chat.Draft{Key: "r2", Topic: "tea", Content: "late", ReplyTo: m.ID})
		if chat.AsError(err).Code != chat.CodeNotFound {
			t.Errorf("a reply to a deleted message: %v", err)
		}
		again, repeated, err := pods[1].service.Post(t.Context(), chat.Guest,
			chat.Draft{Key: "r", Topic: "tea", Name: "Bob", Email: "bob@example.org", Content: "a reply", ReplyTo: m.ID})
		if err != nil || !repeated || again.ID != reply.ID {
			t.Errorf("a repeated reply to a deleted message: %+v, %v, %v", again, repeated, err)
		}
	})
}

func TestResumeTellsWhatChanged(t *testing.T) {
	t.Parallel()
	stages(t, func(t *testing.T, pods [2]*pod) {
		var ms []chat.Message
		for i := range 30 {
			ms = append(ms, pods[0].post(t, ann, chat.Draft{Key: fmt.Sprint("k", i), Topic: []string{"tea", "cake"}[i%2], Content: "hello"}))
		}
		pods[0].vote(t, ms[0].ID, "before@example.org", 1)
		c, _ := dial(t, pods[1], `{"type":"hello"}`)
		c.write(text(`{"type":"subscribe","topics":["*"]}`))
		cursor := hearType(t, c, "welcome").Cursor
		c.Close()

		pods[0].vote(t, ms[2].ID, "v@example.org", -1)
		if err := pods[0].service.Delete(t.Context(), ann, ms[4].ID); err != nil {
			t.Fatal(err)
		}
		pods[1].vote(t, ms[3].ID, "v@example.org", 1)
		late := pods[0].post(t, chat.Guest, chat.Draft{Key: "late", Topic: "tea", Content: "late", ReplyTo: ms[6].ID})

		for i, p := range pods {
			c, welcome := dial(t, p, fmt.Sprintf(`{"type":"hello","topics":["tea"],"cursor":%q}`, cursor))
			if !welcome.Recovered || welcome.Numbers != nil || len(welcome.Messages) != 1 || welcome.Messages[0].ID != late.ID.String() {
				t.Fatalf("server %d: welcome %+v", i, welcome)
			}
			want := map[string]update{
				ms[2].ID.String(): {ID: ms[2].ID.String(), Down: 1},
				ms[4].ID.String(): {ID: ms[4].ID.String(), Deleted: true},
				ms[6].ID.String(): {ID: ms[6].ID.String(), Replies: 1},
			}
			for len(want) > 0 {
				for _, u := range hearType(t, c, "updates").Updates {
					if u.ID == ms[3].ID.String() || u.ID == ms[1].ID.String() {
						t.Errorf("server %d: an update of another topic, %+v", i, u)
					}
					if u == want[u.ID] {
						delete(want, u.ID)
					}
				}
			}
		}
	})
}

// TestResumeAfterTooManyChanges: numbers is false past 1,000.
func TestResumeAfterTooManyChanges(t *testing.T) {
	t.Parallel()
	stages(t, func(t *testing.T, pods [2]*pod) {
		var ms []chat.Message
		for i := range 1001 {
			var wg sync.WaitGroup
			wg.Add(1)
			pods[0].service.PostFunc(ann, chat.Draft{Key: fmt.Sprint("k", i), Topic: "tea", Content: "hello"},
				func(m chat.Message, _ bool, err error) {
					if err != nil {
						t.Error(err)
					}
					ms = append(ms, m)
					wg.Done()
				})
			if i%200 == 0 {
				wg.Wait()
			}
		}
		eventually(t, func() bool {
			p, _ := pods[0].service.Find(t.Context(), ann, chat.Query{Topics: chat.AllTopics, Limit: 1})
			return len(p.Messages) == 1 && p.Messages[0].Key == "k1000"
		})
		_, welcome := dial(t, pods[1], `{"type":"hello"}`)
		vote := func(list []chat.Message, voter string) {
			var wg sync.WaitGroup
			for _, m := range list {
				wg.Add(1)
				pods[0].service.VoteFunc(ann, chat.VoteDraft{Message: m.ID, Vote: map[string]int{"up": 1, "down": -1}[voter]}, func(chat.Counted, error) { wg.Done() })
			}
			wg.Wait()
		}
		vote(ms[:1000], "up")
		hello := fmt.Sprintf(`{"type":"hello","cursor":%q}`, welcome.Cursor)
		eventually(t, func() bool {
			c, again := dial(t, pods[1], hello)
			defer c.Close()
			if !again.Recovered || again.Numbers != nil {
				t.Fatalf("1,000 changes: %+v", again)
			}
			told := map[string]bool{}
			for len(told) < 1000 {
				for _, u := range hearType(t, c, "updates").Updates {
					told[u.ID] = told[u.ID] || u.Up == 1
				}
			}
			return true
		})
		vote(ms, "down")
		eventually(t, func() bool {
			c, again := dial(t, pods[1], hello)
			defer c.Close()
			return again.Recovered && again.Numbers != nil && !*again.Numbers
		})
	})
}

// TestFilteredReaders get exactly what matches: live, in the welcome, when they
// resume, and in history, page by page.
func TestFilteredReaders(t *testing.T) {
	t.Parallel()
	stages(t, func(t *testing.T, pods [2]*pod) {
		const n = 3000
		matches := func(i int) bool { return i%500 == 7 } // seldom
		postAll := func(from, to int) {
			var wg sync.WaitGroup
			for i := from; i < to; i++ {
				content := "plain"
				if matches(i) {
					content = "a #rare one"
				}
				wg.Add(1)
				pods[i%2].service.PostFunc(ann, chat.Draft{Key: fmt.Sprint("k", i), Topic: "tea", Content: content},
					func(_ chat.Message, _ bool, err error) {
						if err != nil {
							t.Error(err)
						}
						wg.Done()
					})
			}
			wg.Wait()
		}
		keys := func(from, to int) (list []string) {
			for i := from; i < to; i++ {
				if matches(i) {
					list = append(list, fmt.Sprint("k", i))
				}
			}
			return list
		}
		live, first := dial(t, pods[1], `{"type":"hello","filter":"#rare"}`)
		postAll(0, n)
		heard := map[string]int{}
		for len(heard) < len(keys(0, n)) {
			for _, m := range hearType(t, live, "messages").Messages {
				heard[m.Key]++
			}
		}
		for _, key := range keys(0, n) {
			if heard[key] != 1 {
				t.Errorf("%s was heard %d times", key, heard[key])
			}
		}
		if len(heard) != len(keys(0, n)) {
			t.Errorf("heard %v", heard)
		}
		// By cursor: the same, and no more.
		c, welcome := dial(t, pods[0], fmt.Sprintf(`{"type":"hello","filter":"#rare","cursor":%q}`, first.Cursor))
		again := map[string]int{}
		for _, m := range welcome.Messages {
			again[m.Key]++
		}
		for len(again) < len(heard) {
			for _, m := range hearType(t, c, "messages").Messages {
				again[m.Key]++
			}
		}
		for key, times := range again {
			if times != 1 || heard[key] != 1 {
				t.Errorf("resumed, %s was heard %d times", key, times)
			}
		}
		// With nothing missed: there are older ones, and before says where.
		_, end := dial(t, pods[0], `{"type":"hello","filter":"#rare"}`)
		_, nothing := dial(t, pods[0], fmt.Sprintf(`{"type":"hello","filter":"#rare","cursor":%q}`, end.Cursor))
		if !nothing.Recovered || len(nothing.Messages) != 0 || !nothing.More || nothing.Before == "" {
			t.Errorf("resumed at the end: %+v; want none, more and before", nothing)
		}
		older := decode[struct{ Messages []message }](t, call(t, http.MethodGet, pods[0].url+"/api/v1/messages?filter=%23rare&limit=1&before="+nothing.Before, ""))
		if last := keys(0, n)[len(keys(0, n))-1]; len(older.Messages) != 1 || older.Messages[0].Key != last {
			t.Errorf("before it is %+v; want %s", older.Messages, last)
		}
		// History: bounded steps, with more and before as they are.
		found, pages := map[string]int{}, 0
		for before := ""; ; {
			p := decode[struct {
				Messages []message
				More     bool
				Before   string
			}](t, call(t, http.MethodGet, pods[1].url+"/api/v1/messages?filter=%23rare&limit=2&before="+before, ""))
			pages++
			for _, m := range p.Messages {
				found[m.Key]++
			}
			if !p.More {
				break
			}
			if p.Before == "" || pages > 20 {
				t.Fatalf("page %d: %+v", pages, p)
			}
			before = p.Before
		}
		if len(found) != len(heard) {
			t.Errorf("history has %v", found)
		}
		expectProblem(t, call(t, http.MethodGet, pods[1].url+"/api/v1/messages?filter=is:x", ""), 400, "bad_message")
		// Errors of filters do not count towards 4002.
		for range 60 {
			live.write(text(`{"type":"subscribe","topics":["*"],"filter":"("}`))
			if f := hearType(t, live, "error"); f.Code != "bad_message" {
				t.Fatalf("%+v", f)
			}
		}
		postAll(n+7, n+8)
		if f := hearType(t, live, "messages"); f.Messages[0].Key != fmt.Sprint("k", n+7) {
			t.Errorf("after refused subscribes: %+v", f)
		}
	})
}

// TestEphemeralIsKeptNowhere searches the bytes of all that is kept.
func TestEphemeralIsKeptNowhere(t *testing.T) {
	t.Parallel()
	const secret = "never-to-be-written-7261"
	say := func(t *testing.T, p *pod) {
		t.Helper()
		c, _ := dial(t, p, `{"type":"hello"}`)
		for i := range 20 {
			c.write(text(fmt.Sprintf(`{"type":"post","key":"e%d","topic":"tea","name":"Ann","email":"ann@example.org","content":"%s","ephemeral":true}`, i, secret)))
			c.write(text(fmt.Sprintf(`{"type":"post","key":"k%d","topic":"tea","name":"Ann","email":"ann@example.org","content":"kept"}`, i)))
		}
		for heard := 0; heard < 20; {
			heard += len(hearType(t, c, "ephemeral").Messages)
		}
		eventually(t, func() bool {
			return strings.Count(bodyOf(t, call(t, http.MethodGet, p.url+"/api/v1/messages?topic=tea", "")), "kept") == 20
		})
		if resp := call(t, http.MethodPost, p.url+"/api/v1/messages", `{"key":"h","topic":"tea","name":"Ann","email":"ann@example.org","content":"x","ephemeral":true}`, asJSON); resp.StatusCode != 400 {
			t.Errorf("HTTP takes an ephemeral message: %s", resp.Status)
		}
		for _, path := range []string{"/api/v1/messages", "/api/v1/topics", "/metrics", "/readyz"} {
			if strings.Contains(bodyOf(t, call(t, http.MethodGet, p.url+path, "")), secret) {
				t.Errorf("%s has the ephemeral message", path)
			}
		}
	}
	search := func(t *testing.T, dir string) {
		t.Helper()
		kept := false
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s has the ephemeral message", path)
			}
			kept = kept || bytes.Contains(data, []byte("kept"))
			return err
		})
		if err != nil || !kept {
			t.Errorf("searched %s: %v; found what is kept: %v", dir, err, kept)
		}
	}
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s, err := localstore.Open(localstore.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var log lockedBuffer
		say(t, startPod(t, podOptions{store: s, log: &log}))
		s.Close()
		search(t, dir)
		if strings.Contains(log.String(), secret) {
			t.Error("the log has the ephemeral message")
		}
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		redis := redistest.Start(t)
		s, err := redisstore.Open(redisstore.Options{URL: redis.URL()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		var log lockedBuffer
		say(t, startPod(t, podOptions{store: s, log: &log}))
		redis.Do("bgsave")
		eventually(t, func() bool { return redis.Info("rdb_bgsave_in_progress") == "0" })
		search(t, redis.Dir())
		if strings.Contains(log.String(), secret) {
			t.Error("the log has the ephemeral message")
		}
	})
}
