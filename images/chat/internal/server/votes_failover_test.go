package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// TestVotesThroughAFailover races votes and replies over three servers while
// Redis fails over. The model: each address has the vote on each message that
// was acknowledged last, and each acknowledged reply counts once. A vote whose
// outcome is unknown is sent again, as clients do. Every server, and everybody
// who listened or resumed, must come to the model's numbers.
func TestVotesThroughAFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("a failover takes seconds")
	}
	t.Parallel()
	ha := redistest.StartHA(t)
	var pods []*pod
	for i := range 3 {
		s, err := redisstore.Open(redisstore.Options{URL: ha.URL(), Partitions: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		pods = append(pods, startPod(t, podOptions{name: fmt.Sprint("chat-", i), store: s}))
	}
	const messages, voters, each = 5, 12, 40
	var posted []chat.Message
	for i := range messages {
		posted = append(posted, pods[0].post(t, ann, chat.Draft{Key: fmt.Sprint("m", i), Topic: fmt.Sprint("topic ", i%2), Content: "hello"}))
	}
	listener, welcome := dial(t, pods[1], `{"type":"hello"}`)

	var done, again atomic.Int64
	var model [messages][voters]int // each row's cell belongs to one goroutine
	var replies [messages]atomic.Int64
	// insist calls until the answer is not that the store is away.
	insist := func(call func(ctx context.Context) error) {
		for {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := call(ctx)
			cancel()
			if err == nil {
				return
			}
			if code := chat.AsError(err).Code; code != chat.CodeUnavailable && code != chat.CodeRateLimited || t.Context().Err() != nil {
				t.Errorf("answered %v", err)
				return
			}
			again.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
	}
	var voting sync.WaitGroup
	for v := range voters {
		voting.Go(func() {
			mine := rand.New(rand.NewPCG(uint64(v), 26))
			for i := range each {
				at, vote := mine.IntN(messages), mine.IntN(3)-1
				insist(func(ctx context.Context) error {
					// An address is the same in whatever case it is written.
					email := fmt.Sprintf("v%d@example.org", v)
					if mine.IntN(2) == 0 {
						email = strings.ToUpper(email)
					}
					_, err := pods[mine.IntN(3)].service.Vote(ctx, chat.Guest, chat.VoteDraft{Message: posted[at].ID, Vote: vote, Name: "V", Email: email})
					return err
				})
				model[at][v] = vote
				if i%8 == 0 {
					draft := chat.Draft{
						Key: fmt.Sprintf("r%d-%d", v, i), Topic: posted[at].Topic, Name: "V", Email: fmt.Sprintf("v%d@example.org", v),
						Content: "a reply", ReplyTo: posted[at].ID,
					}
					insist(func(ctx context.Context) error {
						_, _, err := pods[mine.IntN(3)].service.Post(ctx, chat.Guest, draft)
						return err
					})
					replies[at].Add(1)
				}
				done.Add(1)
			}
		})
	}
	for r := range 3 { // one address, from three servers at once: one vote
		voting.Go(func() {
			for range each {
				insist(func(ctx context.Context) error {
					_, err := pods[r].service.Vote(ctx, chat.Guest, chat.VoteDraft{Message: posted[0].ID, Vote: 1, Name: "R", Email: "racer@example.org"})
					return err
				})
			}
		})
	}
	eventually(t, func() bool { return done.Load() >= voters*each/4 })
	ha.Master.Kill()
	ha.AwaitMaster()
	voting.Wait()
	t.Logf("%d votes and replies were sent again", again.Load())

	want := map[string]update{}
	for i, m := range posted {
		u := update{ID: m.ID.String(), Replies: replies[i].Load()}
		for _, vote := range model[i] {
			switch vote {
			case 1:
				u.Up++
			case -1:
				u.Down++
			}
		}
		if i == 0 {
			u.Up++ // the racer's
		}
		want[u.ID] = u
	}
	for i, p := range pods {
		page, err := p.service.Find(t.Context(), chat.Guest, chat.Query{Topics: chat.AllTopics, Limit: chat.MaxHistory})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, m := range page.Messages {
			if w, ours := want[m.ID.String()]; ours {
				found++
				if got := (update{m.ID.String(), m.Up, m.Down, m.Replies, false}); got != w {
					t.Errorf("server %d: %+v; want %+v", i, got, w)
				}
			}
		}
		if found != messages {
			t.Errorf("server %d shows %d of %d messages", i, found, messages)
		}
	}
	// Who listened all the time, on one connection or the next, and who resumes
	// from before all of it. What listened may have been closed by the failover.
	told := func(c *rawConn) bool {
		left := map[string]update{}
		for id, u := range want {
			if u.Up+u.Down+u.Replies > 0 {
				left[id] = u
			}
		}
		for len(left) > 0 {
			got := c.next()
			if !strings.HasPrefix(got, "text ") {
				return false
			}
			if !strings.Contains(got, `"updates"`) {
				continue
			}
			for id, u := range left {
				words := fmt.Sprintf(`{"id":"%s","up":%d,"down":%d,"replies":%d}`, id, u.Up, u.Down, u.Replies)
				if strings.Contains(got, words) {
					delete(left, id)
				}
			}
		}
		return true
	}
	if !told(listener) {
		t.Log("the listener was closed meanwhile")
	}
	for i, p := range pods {
		c, again := dial(t, p, fmt.Sprintf(`{"type":"hello","cursor":%q}`, welcome.Cursor))
		if !again.Recovered || again.Numbers != nil {
			t.Errorf("server %d: welcome %+v", i, again)
		}
		if !told(c) {
			t.Errorf("server %d does not tell who resumes of the last numbers", i)
		}
	}
}
