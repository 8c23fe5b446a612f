package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// fill appends n messages in random batches over topics, by all handles in
// turn, and gives what the log should hold then.
func fill(hs []*handle, g *gen, part int, topics []string, n, maxBatch int) []chat.Message {
	var want []chat.Message
	for i := 0; len(want) < n; i++ {
		drafts := make([]chat.Draft, min(1+g.IntN(maxBatch), n-len(want)))
		for j := range drafts {
			// Uneven on purpose: the last topics are rare.
			k := min(g.IntN(len(topics)), g.IntN(len(topics)))
			drafts[j] = g.draft(topics[k])
		}
		want = append(want, messages(drafts, hs[i%len(hs)].append(part, drafts...))...)
	}
	return want
}

// FillTopics appends a message to each of n topics, "topic number 0" and on.
func FillTopics(t *testing.T, log chat.Log, n int) {
	t.Helper()
	for i := 0; i < n; i += chat.MaxBatch {
		var events []chat.Event
		for j := i; j < min(n, i+chat.MaxBatch); j++ {
			events = append(events, chat.NewEvent(chat.Draft{
				Key: fmt.Sprint("fill", j), Topic: fmt.Sprintf("topic number %d", j), Name: "Ann", Email: "ann@example.org", Content: "x",
			}))
		}
		if _, err := log.Append(t.Context(), 0, events); err != nil {
			t.Fatal(err)
		}
	}
}

// appendSome appends n drafts of topic general in one batch and gives both sides.
func appendSome(h *handle, g *gen, n int) ([]chat.Draft, []chat.Appended) {
	drafts := g.drafts("general", n)
	return drafts, h.append(0, drafts...)
}

// appendUntilDone appends the same drafts again and again until it succeeds,
// as the contract's A5 allows.
func appendUntilDone(h *handle, part int, drafts []chat.Draft) []chat.Appended {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		var got []chat.Appended
		got, err = h.tryAppend(ctx, part, drafts)
		cancel()
		if err == nil {
			return got
		}
	}
	h.t.Errorf("append again until it works: %v", err)
	return make([]chat.Appended, len(drafts))
}

// atRest reads everything, once retention has done nothing for ten polls.
func atRest(h *handle) (left []chat.Message) {
	h.t.Helper()
	polls, was := 0, h.state(0).Floor
	eventually(h.t, "retention is at rest", func() bool {
		left = h.all(0, chat.Pos{}, 100)
		if now := h.state(0).Floor; now != was {
			polls, was = 0, now
		}
		polls++
		return polls > 10
	})
	return left
}

// overrun posts until retention has removed a message.
func (h *handle) overrun(g *gen, m chat.Message) {
	h.t.Helper()
	part := int(m.ID.Part)
	eventually(h.t, "retention removes a message", func() bool {
		h.post(g, m.Topic, 20)
		return h.state(part).Floor.Compare(m.ID.Pos) >= 0
	})
}
