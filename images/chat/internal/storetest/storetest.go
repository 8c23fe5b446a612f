// Package storetest is the one definition of a correct store: a test for each
// numbered clause of chat.Log, chat.Numbers and chat.Presence, and seeded property tests over
// all of them.
// Every store runs it whole; what is particular to one store is tested there.
//
// Nothing here asserts how fast a store is. The one deadline, patience, only
// ends a test that would otherwise hang.
package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// Factory makes a fresh, empty log for one test. The log ends with the test.
// It is called from several tests at once.
type Factory func(t *testing.T, o Options) *Log

// Options is what a test needs of its log.
type Options struct {
	// Partitions is how many the test would like. A store that cannot have
	// them gives what it has; tests go by Log.Partitions.
	Partitions int
	Retention  chat.Retention
	// Alone says that the test will call Away or Crash, so that whatever
	// keeps the log must keep no other test's.
	Alone bool
}

// Store is what keeps a log, and presence beside it.
type Store interface {
	chat.Log
	chat.Presence
	chat.Numbers
	chat.Broadcast
}

// Log is a log under test and what can be done to it. A nil function is what
// this store cannot do; the tests that need it are left out.
type Log struct {
	// Open gives a handle on the log such as another process has. The test
	// closes it; opening again after that is a restart.
	Open func(t testing.TB) Store
	// Shared says that several handles may be open at the same time.
	Shared bool
	// Advance moves the log's clock on. Without it tests wait in real time.
	Advance func(d time.Duration)
	// Crash kills whatever keeps the log without warning and brings it back.
	// Open handles stay open if Shared; else all are closed before.
	Crash func(t testing.TB)
	// Away takes the log away until back is called: no answer, or refusal.
	Away func(t testing.TB) (back func())
	// Empty removes everything behind the open handles' backs.
	Empty func(t testing.TB)
	// Rewrite changes the record of an event as it is stored.
	Rewrite func(t testing.TB, at chat.ID, edit func(record string) string)
	// Damages are ways to make the event at a position unreadable, as a disk
	// or a stranger might. What was appended together with it may be lost, too.
	Damages []Damage
}

// Damage is one way to spoil what is stored.
type Damage struct {
	Name string
	Do   func(t testing.TB, at chat.ID)
}

// patience ends a test that hangs. It is no measure of a store: these
// machines are small and noisy.
const patience = 60 * time.Second

// Run runs the whole suite against the logs that f makes.
func Run(t *testing.T, f Factory) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Factory)
	}{
		{"Partitions", testPartitions},
		{"A1_DurableAndInOrderOfDrafts", testA1},
		{"A2_PositionsAscend", testA2},
		{"A3_KeyNamesTheFirst", testA3},
		{"A3_KeysBelongToAddressAndTopic", testA3Others},
		{"A3_RacingHandlesAgree", testA3Race},
		{"A4_TimeNeverGoesBack", testA4},
		{"A5_AppendAgainAfterAnError", testA5},
		{"A6_ErrorWithinTheDeadline", testA6},
		{"A7_RepliesCountAndAreRefused", testA7},
		{"A7_RefusedIsNotAppended", testA7Refused},
		{"R1_InOrderWithoutGapOrRepeat", testR1},
		{"R2_AboutMax", testR2},
		{"R3_WaitsThenGivesNone", testR3},
		{"R4_GivenAsSoonAsAppended", testR4},
		{"R5_CancelEndsTheWait", testR5},
		{"R6_LaterKindsAndFields", testLaterVersion},
		{"R6_Damage", testDamage},
		{"R6_DamageAtTheEnd", testDamageAtTheEnd},
		{"R7_GapWhereRetentionPassed", testR7},
		{"B1_DirectlyPrecedeTheBound", testB1},
		{"B2_AnyBound", testB2},
		{"B3_WithoutWhatRetentionRemoved", testB3},
		{"S1_HeadCoversEveryAppend", testS1},
		{"S2_EverythingAfterFloorIsReadable", testS2},
		{"S3_EpochChangesWithThePast", testS3},
		{"T1_T3_TopicsWithCountAndLast", testT1},
		{"T2_EmptiedTopicsVanish", testT2},
		{"P1_SilentServersDoNotCount", testP1},
		{"P2_NobodyIsForgottenAtOnce", testP2},
		{"P3_OpenServersAreCounted", testP3},
		{"P4_AccountsCountOnce", testP4},
		{"P5_StaleSaysToTellAll", testP5},
		{"V1_TallyOfEachBallotDurably", testV1},
		{"V2_OneVotePerVoter", testV2},
		{"V3_GoneMessagesTakeNoVote", testV3},
		{"V4_VoteAgainAfterAnError", testV4},
		{"D1_DeletingKeepsNumbers", testD1},
		{"N1_EveryAcknowledgedChange", testN1},
		{"N2_RepliesAndEventsAtPositions", testN2},
		{"N3_ChangesComeAfterMessages", testN3},
		{"N4_ForgottenWithTheMessage", testN4},
		{"F1_EveryChangeIsFollowed", testF1},
		{"F3_CancelEndsTheWait", testF3},
		{"E2_EphemeralsInOrderOfTheirSender", testE2},
		{"E4_NothingOfEphemeralsIsKept", testE4},
		{"Close_EndsCallsUnderWay", testClose},
		{"Retention_OverDamage", testRetentionOverDamage},
		{"Retention_Messages", testRetentionMessages},
		{"Retention_Bytes", testRetentionBytes},
		{"Retention_AgeWhileNobodyPosts", testRetentionAge},
		{"Property_EveryReaderSeesOneOrder", testOneOrder},
		{"Property_BeforeAgreesWithRead", testBeforeAgreesWithRead},
		{"Property_VotesAgainstAModel", testVotesAgainstModel},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, f)
		})
	}
}

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

// gen makes drafts from a seed. It is for one goroutine.
type gen struct {
	*rand.Rand
	name string
	n    int
}

func newGen(seed uint64, name string) *gen {
	return &gen{Rand: rand.New(rand.NewPCG(seed, 7)), name: name}
}

// draft is a draft that no other gen of another name makes.
func (g *gen) draft(topic string) chat.Draft {
	g.n++
	return chat.Draft{
		Key: fmt.Sprintf("%s-%d", g.name, g.n), Topic: topic,
		Name: "Zoë " + g.name, Email: g.name + "@example.org",
		Content: fmt.Sprintf("%d\n%s", g.n, strings.Repeat("é ", g.IntN(100))),
	}
}

func (g *gen) drafts(topic string, n int) []chat.Draft {
	ds := make([]chat.Draft, n)
	for i := range ds {
		ds[i] = g.draft(topic)
	}
	return ds
}

// topicsOf gives n topics of a partition, with awkward names among them.
func topicsOf(part, partitions, n int) []string {
	var names []string
	for i := 0; len(names) < n; i++ {
		for _, form := range []string{"topic %d", "тема \"%d\"", "%d 0-0", "{p%d}"} {
			if name := fmt.Sprintf(form, i); chat.PartitionOf(name, partitions) == part && len(names) < n {
				names = append(names, name)
			}
		}
	}
	return names
}

// messages is what the log should hold for drafts that were appended so.
func messages(drafts []chat.Draft, got []chat.Appended) []chat.Message {
	var ms []chat.Message
	for i, a := range got {
		if !a.Duplicate {
			ms = append(ms, chat.Message{ID: a.ID, Draft: drafts[i]})
		}
	}
	return ms
}

// equal checks that two stretches of the log are the same.
func equal(t *testing.T, clause string, got, want []chat.Message) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: %d messages, want %d; the first difference is at %d: %v %+v, want %v %+v",
				clause, len(got), len(want), i, got[i].ID, got[i].Draft, want[i].ID, want[i].Draft)
		}
	}
	t.Fatalf("%s: %d messages, want %d", clause, len(got), len(want))
}

// ofTopic keeps the messages of a topic; "" is all.
func ofTopic(ms []chat.Message, topic string) []chat.Message {
	if topic == "" {
		return ms
	}
	var some []chat.Message
	for _, m := range ms {
		if m.Topic == topic {
			some = append(some, m)
		}
	}
	return some
}

// after keeps the messages after a position.
func after(ms []chat.Message, p chat.Pos) []chat.Message {
	i := slices.IndexFunc(ms, func(m chat.Message) bool { return m.ID.Pos.Compare(p) > 0 })
	if i < 0 {
		return nil
	}
	return ms[i:]
}

// lastBefore is what Before must give.
func lastBefore(ms []chat.Message, topic string, bound chat.Pos, max int) []chat.Message {
	var some []chat.Message
	for _, m := range ofTopic(ms, topic) {
		if m.ID.Pos.Compare(bound) < 0 {
			some = append(some, m)
		}
	}
	return some[len(some)-min(len(some), max):]
}
