package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// patience ends a test that hangs. It is no measure of a store: these
// machines are small and noisy.
const patience = 60 * time.Second

// handle is an open store with the helpers tests want; errors end the test.
type handle struct {
	Store
	t  *testing.T
	mu []sync.Mutex // one Append of a process per partition
}

// open gives a handle that is closed when the test ends, or by close before.
func open(t *testing.T, l *Log) *handle {
	t.Helper()
	s := l.Open(t)
	h := &handle{Store: s, t: t, mu: make([]sync.Mutex, s.Partitions())}
	t.Cleanup(func() { h.Close() })
	return h
}

// openAll gives n handles if the log can be shared, else one handle n times.
func openAll(t *testing.T, l *Log, n int) []*handle {
	t.Helper()
	hs := make([]*handle, n)
	for i := range hs {
		if i > 0 && !l.Shared {
			hs[i] = hs[0]
			continue
		}
		hs[i] = open(t, l)
	}
	return hs
}

func (h *handle) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	h.t.Cleanup(cancel)
	return ctx
}

// append appends drafts to a partition and checks the shape of the answer. It
// may be called from any goroutine.
func (h *handle) append(part int, drafts ...chat.Draft) []chat.Appended {
	h.t.Helper()
	got, err := h.tryAppend(h.ctx(), part, drafts)
	if err != nil {
		h.t.Errorf("append %d drafts to partition %d: %v", len(drafts), part, err)
		return make([]chat.Appended, len(drafts))
	}
	return got
}

func (h *handle) tryAppend(ctx context.Context, part int, drafts []chat.Draft) ([]chat.Appended, error) {
	h.mu[part].Lock()
	defer h.mu[part].Unlock()
	events := make([]chat.Event, len(drafts))
	for i, d := range drafts {
		events[i] = chat.NewEvent(d)
	}
	got, err := h.Append(ctx, part, events)
	if err != nil {
		return nil, err
	}
	if len(got) != len(drafts) {
		return nil, fmt.Errorf("%d drafts gave %d results", len(drafts), len(got))
	}
	for _, a := range got {
		if !a.Refused && (int(a.ID.Part) != part || a.ID.Pos.IsZero()) {
			return nil, fmt.Errorf("id %v of partition %d", a.ID, part)
		}
	}
	return got, nil
}

// all reads everything after a position, max messages a call.
func (h *handle) all(part int, after chat.Pos, max int) []chat.Message {
	h.t.Helper()
	return h.known(h.events(part, after, max))
}

// events reads everything after a position, about max events a call.
func (h *handle) events(part int, after chat.Pos, max int) []chat.Event {
	h.t.Helper()
	var all []chat.Event
	for {
		got, err := h.Read(h.ctx(), part, after, max, 0)
		if err != nil {
			h.t.Fatalf("read partition %d after %v: %v", part, after, err)
		}
		if n := len(got.Events); n > max+chat.MaxBatch-1 {
			h.t.Fatalf("R2: read of about %d gave %d events", max, n)
		} else if got.After != after || n > 0 && got.Through.Compare(got.Events[n-1].ID.Pos) < 0 {
			h.t.Fatalf("R1: read after %v gave %d events after %v through %v", after, n, got.After, got.Through)
		}
		if got.Through == after {
			return all
		}
		all = append(all, got.Events...)
		after = got.Through
	}
}

// known gives the messages among events, each of which must be of a kind that
// this version knows.
func (h *handle) known(events []chat.Event) []chat.Message {
	h.t.Helper()
	return messagesIn(h.t, events)
}

// messagesIn is known for tests that call the store themselves.
func messagesIn(t *testing.T, events []chat.Event) []chat.Message {
	t.Helper()
	var all []chat.Message
	for _, e := range events {
		if !e.Kind.Known() {
			t.Fatalf("R6: an event of kind %v at %v", e.Kind, e.ID)
		}
		all = append(all, e.Message())
	}
	return all
}

func (h *handle) before(part int, topic string, bound chat.Pos, max int) []chat.Message {
	h.t.Helper()
	got, err := h.Before(h.ctx(), part, topic, bound, max)
	if err != nil {
		h.t.Fatalf("read %d before %v of topic %q: %v", max, bound, topic, err)
	}
	return h.known(got)
}

func (h *handle) state(part int) chat.State {
	h.t.Helper()
	s, err := h.State(h.ctx(), part)
	if err != nil {
		h.t.Fatalf("state of partition %d: %v", part, err)
	}
	return s
}

func (h *handle) topics(part int) map[string]chat.TopicInfo {
	h.t.Helper()
	list, err := h.Topics(h.ctx(), part)
	if err != nil {
		h.t.Fatalf("topics of partition %d: %v", part, err)
	}
	m := make(map[string]chat.TopicInfo)
	for _, i := range list {
		if _, twice := m[i.Topic]; twice {
			h.t.Fatalf("topic %q is listed twice", i.Topic)
		}
		m[i.Topic] = i
	}
	return m
}

func (h *handle) vote(ballots ...chat.Ballot) []chat.Change {
	h.t.Helper()
	got, err := h.Vote(h.ctx(), int(ballots[0].Message.Part), ballots)
	if err != nil || len(got) != len(ballots) {
		h.t.Errorf("vote: %v, %v", got, err)
		return make([]chat.Change, len(ballots))
	}
	return got
}

func (h *handle) delete(m chat.Message) chat.Change {
	h.t.Helper()
	got, err := h.Delete(h.ctx(), m.ID, m.Topic)
	if err != nil {
		h.t.Errorf("delete: %v", err)
	}
	return got
}

func (h *handle) tally(m chat.Message) chat.Tally { return h.counted(m, chat.Voter{}).Tally }

func (h *handle) counted(m chat.Message, v chat.Voter) chat.Counted {
	h.t.Helper()
	got, err := h.Tallies(h.ctx(), int(m.ID.Part), []chat.Pos{m.ID.Pos}, v)
	if err != nil || len(got) != 1 || got[0].ID != m.ID {
		h.t.Errorf("tallies: %v, %v", got, err)
		return chat.Counted{}
	}
	return got[0]
}

// post appends n messages of one topic and gives them.
func (h *handle) post(g *gen, topic string, n int) []chat.Message {
	h.t.Helper()
	drafts := g.drafts(topic, n)
	return messages(drafts, h.append(chat.PartitionOf(topic, h.Partitions()), drafts...))
}

func (h *handle) reply(g *gen, parent chat.Message) (chat.Message, chat.Appended) {
	h.t.Helper()
	d := g.draft(parent.Topic)
	d.ReplyTo = parent.ID
	got := h.append(int(parent.ID.Part), d)[0]
	return chat.Message{ID: got.ID, Draft: d}, got
}

func (h *handle) repliesTo(m chat.Message, before chat.Pos, max int) []chat.Pos {
	h.t.Helper()
	got, err := h.Replies(h.ctx(), m.ID, before, max)
	if err != nil {
		h.t.Errorf("replies: %v", err)
	}
	return got
}

// eventsBefore is Before; errors end the test.
func (h *handle) eventsBefore(topic string, bound chat.Pos, max int) []chat.Event {
	h.t.Helper()
	got, err := h.Before(h.ctx(), 0, topic, bound, max)
	if err != nil {
		h.t.Fatalf("read %d before %v of topic %q: %v", max, bound, topic, err)
	}
	return got
}

// tell is Tell of a server; errors end the test.
func (h *handle) tell(server string, here chat.Here) chat.Crowd {
	h.t.Helper()
	crowd, err := h.Tell(h.ctx(), server, here)
	if err != nil {
		h.t.Fatalf("tell presence: %v", err)
	}
	return crowd
}

// eventually polls until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("gave up waiting: %s", what)
		}
	}
}

// pass lets d go by on the log's clock.
func pass(l *Log, d time.Duration) {
	if l.Advance != nil {
		l.Advance(d)
		return
	}
	time.Sleep(d)
}
