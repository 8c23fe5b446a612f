package server_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/server"
)

// awayStore is a log that can be taken away: every call fails.
type awayStore struct {
	store
	away atomic.Bool
}

var errAway = errors.New("the log is away")

func (s *awayStore) Append(ctx context.Context, part int, events []chat.Event) ([]chat.Appended, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.store.Append(ctx, part, events)
}

func (s *awayStore) State(ctx context.Context, part int) (chat.State, error) {
	if s.away.Load() {
		return chat.State{}, errAway
	}
	return s.store.State(ctx, part)
}

func (s *awayStore) Before(ctx context.Context, part int, topic string, before chat.Pos, max int) ([]chat.Event, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.store.Before(ctx, part, topic, before, max)
}

func (s *awayStore) Topics(ctx context.Context, part int) ([]chat.TopicInfo, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.store.Topics(ctx, part)
}

func (s *awayStore) Vote(ctx context.Context, part int, ballots []chat.Ballot) ([]chat.Change, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.store.Vote(ctx, part, ballots)
}

func (s *awayStore) Delete(ctx context.Context, id chat.ID, topic string) (chat.Change, error) {
	if s.away.Load() {
		return chat.Change{}, errAway
	}
	return s.store.Delete(ctx, id, topic)
}

func TestWhileTheLogIsAway(t *testing.T) {
	store := &awayStore{store: openLocal(t)}
	p := startPod(t, podOptions{store: store, edge: server.Config{ReadyTolerance: time.Hour}})
	expectServed(t, p)
	store.away.Store(true)
	for _, c := range [][3]string{
		{"GET", "/api/v1/messages", ""}, {"GET", "/api/v1/messages?topic=tea", ""}, {"GET", "/api/v1/topics", ""},
		{"POST", "/api/v1/messages", draftJSON("k", "tea", "x")},
	} {
		resp := call(t, c[0], p.url+c[1], c[2], asJSON)
		if resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%s %s: Retry-After %q", c[0], c[1], resp.Header.Get("Retry-After"))
		}
		expectProblem(t, resp, 503, "unavailable")
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/api/v1/openapi.yaml"} {
		if resp := call(t, "GET", p.url+path, ""); resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	store.away.Store(false)
	expectServed(t, p)
}
