package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/server"
)

func TestVotesOverHTTP(t *testing.T) {
	t.Parallel()
	stages(t, func(t *testing.T, pods [2]*pod) {
		m := pods[0].post(t, chat.Guest, chat.Draft{Key: "k", Topic: "tea", Content: "hello"})
		put := func(p *pod, id, body string) *http.Response {
			return call(t, http.MethodPut, p.url+"/api/v1/messages/"+id+"/vote", body, asJSON)
		}
		voted := func(p *pod, body, want string) {
			t.Helper()
			resp := put(p, m.ID.String(), body)
			if got := bodyOf(t, resp); resp.StatusCode != http.StatusOK || got != fmt.Sprintf(want, m.ID) {
				t.Errorf("%s: %s %s, want %s", body, resp.Status, got, fmt.Sprintf(want, m.ID))
			}
		}
		voted(pods[1], `{"vote":1,"name":"Cid","email":"cid@example.org"}`, `{"id":"%s","up":1,"down":0,"vote":1}`)
		voted(pods[0], `{"vote":1,"name":"Cid","email":"CID@example.org"}`, `{"id":"%s","up":1,"down":0,"vote":1}`)
		voted(pods[1], `{"vote":-1,"name":"Dan","email":"dan@example.org"}`, `{"id":"%s","up":1,"down":1,"vote":-1}`)
		voted(pods[0], `{"vote":0,"name":"Cid","email":"cid@example.org"}`, `{"id":"%s","up":0,"down":1,"vote":0}`)
		good := `{"vote":1,"name":"Cid","email":"cid@example.org"}`
		for _, c := range []struct {
			id, body string
			status   int
			code     string
		}{
			{"0123456789abcdef01234567", good, 404, "not_found"},
			{"no-id", good, 404, "not_found"},
			{m.ID.String(), `{"vote":2,"name":"Cid","email":"cid@example.org"}`, 400, "bad_message"},
			{m.ID.String(), `{"vote":"1","name":"Cid","email":"cid@example.org"}`, 400, "bad_frame"},
			{m.ID.String(), `{"name":"Cid","email":"cid@example.org"}`, 400, "bad_frame"},
			{m.ID.String(), `{"vote":1,"name":"Cid"}`, 400, "bad_message"},
			{m.ID.String(), `{"vote":1,"email":"cid@example.org"}`, 400, "bad_message"},
		} {
			expectProblem(t, put(pods[0], c.id, c.body), c.status, c.code)
		}
		// Those signed in leave name and address out, and find their own vote.
		if _, err := pods[0].service.Vote(t.Context(), ann, chat.VoteDraft{Message: m.ID, Vote: 1}); err != nil {
			t.Fatal(err)
		}
		page, err := pods[1].service.Find(t.Context(), ann, chat.Query{Topics: chat.AllTopics, Limit: 1})
		if err != nil || page.Messages[0].Vote != 1 || page.Messages[0].Up != 1 {
			t.Errorf("own vote: %+v, %v", page, err)
		}
		if _, err := pods[0].service.Vote(t.Context(), ann, chat.VoteDraft{Message: m.ID, Vote: 1, Email: "else@example.org"}); chat.AsError(err).Code != chat.CodeBadMessage {
			t.Errorf("a vote with another's address: %v", err)
		}
	})
}

// TestVotesThatAreRefused: by guests who may not, too many, and without a store.
func TestVotesThatAreRefused(t *testing.T) {
	t.Parallel()
	put := func(p *pod, id chat.ID, body string) *http.Response {
		return call(t, http.MethodPut, p.url+"/api/v1/messages/"+id.String()+"/vote", body, asJSON)
	}
	const good = `{"vote":1,"name":"Cid","email":"cid@example.org"}`

	reading := startPod(t, podOptions{edge: server.Config{Guests: "read"}})
	m := reading.post(t, ann, chat.Draft{Key: "k", Topic: "tea", Content: "hello"})
	expectProblem(t, put(reading, m.ID, good), http.StatusUnauthorized, "unauthorised")

	p := startPod(t, podOptions{edge: server.Config{PostRate: 0.001, PostBurst: 1}})
	m = p.post(t, ann, chat.Draft{Key: "k", Topic: "tea", Content: "hello"})
	if resp := put(p, m.ID, good); resp.StatusCode != http.StatusOK {
		t.Errorf("the first vote: %s", resp.Status)
	}
	expectProblem(t, put(p, m.ID, good), http.StatusTooManyRequests, "rate_limited")

	away := &awayStore{store: openLocal(t)}
	p = startPod(t, podOptions{store: away})
	m = p.post(t, ann, chat.Draft{Key: "k", Topic: "tea", Content: "hello"})
	away.away.Store(true)
	expectProblem(t, put(p, m.ID, good), http.StatusServiceUnavailable, "unavailable")
	if err := p.service.Delete(t.Context(), ann, m.ID); chat.AsError(err).Code != chat.CodeUnavailable {
		t.Errorf("a deletion: %v", err)
	}
}

// TestManyVotesFewUpdates: 10,000 votes on one message cost each reader at most
// four updates of it in a second, the last with the right numbers.
func TestManyVotesFewUpdates(t *testing.T) {
	t.Parallel()
	stages(t, func(t *testing.T, pods [2]*pod) {
		const votes = 10_000
		m := pods[0].post(t, chat.Guest, chat.Draft{Key: "k", Topic: "tea", Content: "hello"})
		reader, _ := dial(t, pods[1], `{"type":"hello"}`)
		start := time.Now()
		var voting sync.WaitGroup
		const voters = 64 // at a time, as that many sockets would
		for v := range voters {
			voting.Go(func() {
				for i := v; i < votes; i += voters {
					pods[i%2].vote(t, m.ID, fmt.Sprintf("v%d@example.org", i), 1)
				}
			})
		}
		voting.Wait()
		took := time.Since(start)
		var last int64
		frames := 0
		for last < votes {
			f := hearType(t, reader, "updates")
			frames++
			if f.Updates[0].Up < last {
				t.Fatalf("updates go back from %d to %d", last, f.Updates[0].Up)
			}
			last = f.Updates[0].Up
		}
		heard := time.Since(start)
		// Counted against the time that it took: the bound is a rate.
		if most := 4 * (int(heard/time.Second) + 1); frames > most {
			t.Errorf("%d updates in %v, want at most %d", frames, heard, most)
		}
		t.Logf("%d votes took %v (%.0f/s); a reader was told %d times in %v", votes, took, votes/took.Seconds(), frames, heard)
		page, err := pods[1].service.Find(t.Context(), chat.Guest, chat.Query{Topics: chat.AllTopics, Limit: 10})
		if err != nil || len(page.Messages) != 1 || page.Messages[0].Up != votes {
			t.Errorf("history has %+v, %v", page.Messages, err)
		}
	})
}

// TestUpdatesNeverGoBack has readers ask for history while votes come in by
// three roads: what a reader is shown of a message's numbers, in whatever
// frame, only grows when the votes do.
func TestUpdatesNeverGoBack(t *testing.T) {
	t.Parallel()
	stages(t, func(t *testing.T, pods [2]*pod) {
		m := pods[0].post(t, chat.Guest, chat.Draft{Key: "k", Topic: "tea", Content: "hello"})
		const votes = 600
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var voting sync.WaitGroup
		for v := range 3 {
			voting.Go(func() {
				for i := v; i < votes && ctx.Err() == nil; i += 3 {
					_, err := pods[i%2].service.Vote(ctx, chat.Guest, chat.VoteDraft{Message: m.ID, Vote: 1, Name: "V", Email: fmt.Sprintf("v%d@example.org", i)})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var reading sync.WaitGroup
		for r := range 4 {
			c, welcome := dial(t, pods[r%2], `{"type":"hello"}`)
			reading.Go(func() {
				last := welcome.Messages[0].Up
				for asked := 0; last < votes; {
					if asked == 0 {
						c.write(text(`{"type":"history","ref":"h","topic":"tea"}`))
						asked++
					}
					got, err := c.read()
					if err != nil {
						t.Error(err)
						return
					}
					var f said
					if text, ok := strings.CutPrefix(got, "text "); !ok || json.Unmarshal([]byte(text), &f) != nil {
						continue
					}
					up := last
					switch f.Type {
					case "history":
						asked--
						up = f.Messages[0].Up
					case "updates":
						up = f.Updates[0].Up
					}
					if up < last {
						t.Errorf("reader %d was shown %d after %d, by %s", r, up, last, f.Type)
						return
					}
					last = up
				}
			})
		}
		voting.Wait()
		reading.Wait()
	})
}
