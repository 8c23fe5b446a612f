package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// patience ends a test that hangs.
const patience = 60 * time.Second

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("gave up waiting: %s", what)
		}
	}
}

func drafts(prefix string, n int) []chat.Draft {
	ds := make([]chat.Draft, n)
	for i := range ds {
		ds[i] = chat.Draft{Key: fmt.Sprint(prefix, "-", i), Topic: "general", Name: "n", Email: "e@example.org", Content: "c"}
	}
	return ds
}

func events(ds []chat.Draft) []chat.Event {
	es := make([]chat.Event, len(ds))
	for i, d := range ds {
		es[i] = chat.NewEvent(d)
	}
	return es
}

func appendTo(t *testing.T, s *redisstore.Store, part int, ds []chat.Draft) []chat.Appended {
	t.Helper()
	got, err := s.Append(within(t, patience), part, events(ds))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return got
}

func readAll(t *testing.T, s *redisstore.Store, part int) []chat.Message {
	t.Helper()
	var all []chat.Message
	var at chat.Pos
	for {
		got, err := s.Read(within(t, patience), part, at, 500, 0)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if got.Through == at {
			return all
		}
		for _, e := range got.Events {
			all = append(all, e.Message())
		}
		at = got.Through
	}
}

// poster appends batches one after the other, each until it succeeds, and
// keeps what was acknowledged.
type poster struct {
	acked, errs []string
	ids         map[string]chat.ID
	stop, done  chan struct{}
	count       chan int      // of acknowledged batches so far; buffered
	gap         time.Duration // the longest between two acknowledgements
}

func startPoster(s *redisstore.Store, part int, topic, prefix string) *poster {
	p := &poster{ids: make(map[string]chat.ID), stop: make(chan struct{}), done: make(chan struct{}), count: make(chan int, 100_000)}
	go func() {
		defer close(p.done)
		last := time.Now()
		for n := 0; ; n++ {
			ds := drafts(fmt.Sprint(prefix, n), 1+n%9)
			for i := range ds {
				ds[i].Topic = topic
			}
			for {
				select {
				case <-p.stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				got, err := s.Append(ctx, part, events(ds))
				cancel()
				if err != nil {
					p.errs = append(p.errs, err.Error())
					continue
				}
				for i, a := range got {
					p.acked = append(p.acked, ds[i].Key)
					p.ids[ds[i].Key] = a.ID
				}
				p.gap, last = max(p.gap, time.Since(last)), time.Now()
				p.count <- n
				break
			}
		}
	}()
	return p
}

func (p *poster) more(t *testing.T, n int) {
	t.Helper()
	until(t, "appends go on", func() bool { return len(p.count) >= n })
}

func (p *poster) end() {
	close(p.stop)
	<-p.done
}

// check: everything acknowledged is in the log under its id, nothing twice.
func (p *poster) check(t *testing.T, log []chat.Message) {
	t.Helper()
	seen := make(map[string]chat.ID)
	for i, m := range log {
		if _, twice := seen[m.Key]; twice {
			t.Errorf("key %s is in the log twice", m.Key)
		}
		seen[m.Key] = m.ID
		if i > 0 && m.ID.Pos.Compare(log[i-1].ID.Pos) <= 0 {
			t.Errorf("%v comes after %v", m.ID, log[i-1].ID)
		}
	}
	for _, key := range p.acked {
		if seen[key] != p.ids[key] {
			t.Errorf("%s was acknowledged as %v, and is in the log as %v", key, p.ids[key], seen[key])
		}
	}
	t.Logf("%d messages acknowledged, %d in the log, longest gap %v, %d appends failed: %q",
		len(p.acked), len(log), p.gap, len(p.errs), slices.Compact(p.errs))
}

// A master dies under appends, or hangs and comes back when another has taken
// over. What was acknowledged is there, and the tail goes on without gap or
// repeat.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		testFailover(t, (*redistest.Server).Kill, nil)
	})
	t.Run("frozen", func(t *testing.T) {
		t.Parallel()
		testFailover(t, (*redistest.Server).Freeze, (*redistest.Server).Thaw)
	})
}

func testFailover(t *testing.T, fail, back func(*redistest.Server)) {
	ha := redistest.StartHA(t)
	s := open(t, redisstore.Options{URL: ha.URL()})
	epoch, err := s.State(within(t, patience), 0)
	if err != nil {
		t.Fatal(err)
	}
	tail := startTail(open(t, redisstore.Options{URL: ha.URL()}), 0)
	p := startPoster(s, 0, "general", "k")
	p.more(t, 200)
	fail(ha.Master)
	ha.AwaitMaster()
	p.more(t, len(p.count)+200)
	if back != nil {
		back(ha.Master)
		p.more(t, len(p.count)+200)
	}
	p.end()
	log := readAll(t, s, 0)
	p.check(t, log)
	st, err := s.State(within(t, patience), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the new master lacked something that had been seen but not acknowledged: %t", st.Epoch != epoch.Epoch)
	tail.check(t, p, log)
}

// tail reads as a pod does.
type tail struct {
	seen   []chat.Message
	errs   []error
	cancel context.CancelFunc
	done   chan struct{}
	total  chan int
}

func startTail(s *redisstore.Store, part int) *tail {
	ctx, cancel := context.WithCancel(context.Background())
	r := &tail{cancel: cancel, done: make(chan struct{}), total: make(chan int, 100_000)}
	go func() {
		defer close(r.done)
		var at chat.Pos
		for ctx.Err() == nil {
			got, err := s.Read(ctx, part, at, 100, 5*time.Second)
			if err != nil {
				r.errs = append(r.errs, err)
				continue
			}
			for _, e := range got.Events {
				r.seen = append(r.seen, e.Message())
				r.total <- 1
			}
			at = got.Through
		}
	}()
	return r
}

// check: the tail has seen the log, and otherwise only what was never
// acknowledged (and went with the master).
func (r *tail) check(t *testing.T, p *poster, log []chat.Message) {
	t.Helper()
	until(t, "the tail catches up", func() bool { return len(r.total) >= len(log) })
	r.cancel()
	<-r.done
	in := make(map[chat.ID]bool)
	for _, m := range log {
		in[m.ID] = true
	}
	lost := 0
	seen := slices.DeleteFunc(slices.Clone(r.seen), func(m chat.Message) bool {
		if !in[m.ID] {
			if lost++; p.ids[m.Key] == m.ID {
				t.Errorf("%v was acknowledged and seen, and is gone", m.ID)
			}
		}
		return !in[m.ID]
	})
	if !slices.Equal(seen, log) {
		t.Errorf("the tail has seen %d messages of the log, not the %d there are, or in another order", len(seen), len(log))
	}
	t.Logf("the tail saw %d messages that were never acknowledged and are gone; %d reads failed", lost, len(r.errs))
}

// One master of a Cluster, that of partition 0, dies under appends to all.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	const partitions = 3
	c := redistest.StartCluster(t, true)
	s := open(t, redisstore.Options{URL: c.URL(), Partitions: partitions})
	var ps []*poster
	for part := range partitions {
		topic := ""
		for i := 0; topic == "" || chat.PartitionOf(topic, partitions) != part; i++ {
			topic = fmt.Sprint("topic ", i)
		}
		ps = append(ps, startPoster(s, part, topic, fmt.Sprint("p", part, "-")))
	}
	for _, p := range ps {
		p.more(t, 100)
	}
	dies := c.Owner("chat:{p0}:log")
	c.Masters[dies].Kill()
	c.Replicas[dies].Promoted()
	// It has no replica now, and nothing is acknowledged in its partition
	// until the dead master is back as one.
	c.Masters[dies].Run()
	for _, p := range ps {
		p.more(t, len(p.count)+100)
	}
	for part, p := range ps {
		p.end()
		p.check(t, readAll(t, s, part))
	}
}

// On a Cluster, too, the wait is sent where the append went: with replicas it
// succeeds, and when one does not answer the append fails.
func TestClusterWaitsForReplicas(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, true)
	s := open(t, redisstore.Options{URL: c.URL(), Partitions: 1})
	appendTo(t, s, 0, drafts("a", 3))
	for _, r := range c.Replicas {
		r.Freeze()
	}
	if _, err := s.Append(within(t, 300*time.Millisecond), 0, events(drafts("b", 1))); err == nil {
		t.Error("an append was acknowledged while no replica answered")
	}
	for _, r := range c.Replicas {
		r.Thaw()
	}
	if got := appendTo(t, s, 0, drafts("b", 1)); !got[0].Duplicate {
		t.Error("the failed append was not in the log")
	}
}

// A replica that does not answer: not acknowledged. Nor when the same drafts
// come again and the script has nothing to append: WAIT alone would not wait
// then, for the connection has written nothing.
func TestRetryOfUnreplicatedIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	direct := redisstore.Options{URL: master.URL(), MinReplicas: 1}
	s := open(t, direct)
	appendTo(t, s, 0, drafts("a", 1))
	replica.Freeze()
	for range 3 {
		// A fresh process each time: its connection has written nothing.
		fresh := open(t, direct)
		_, err := fresh.Append(within(t, 600*time.Millisecond), 0, events(drafts("b", 2)))
		if err == nil {
			t.Error("an append was acknowledged while no replica answered")
		} else if !strings.Contains(err.Error(), "replicas") {
			t.Errorf("the error does not tell why: %v", err)
		}
	}
	// On Redis 7.0 WAIT happens to cover earlier commands; from 7.2 on only
	// the connection's own writes. So the repeats must have written.
	if n := master.Do("hget", "chat:{p0}:meta", "duplicates"); n != "4" {
		t.Errorf("%v repeats are noted, want 4", n)
	}
	replica.Thaw()
	got := appendTo(t, s, 0, drafts("b", 2))
	if !got[0].Duplicate || len(readAll(t, s, 0)) != 3 {
		t.Errorf("after all: %+v", got)
	}
}

// A user that may not call INFO appends all the same, with the least number of
// replicas.
func TestUserWithoutInfo(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	master.Do("acl", "setuser", "narrow", "on", ">p", "~*", "&*", "+@all", "-info")
	s := open(t, redisstore.Options{URL: "redis://narrow:p@" + master.Addr + "/0", MinReplicas: 1})
	appendTo(t, s, 0, drafts("a", 1))
	replica.Freeze()
	defer replica.Thaw()
	if _, err := s.Append(within(t, 600*time.Millisecond), 0, events(drafts("b", 1))); err == nil {
		t.Error("an append was acknowledged while no replica answered")
	}
}

// A replica that hangs costs one append half a second, and no failure; then the
// other one is enough.
func TestHangingReplicaIsExcused(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	hangs := redistest.StartReplica(t, master)
	redistest.StartReplica(t, master)
	s := open(t, redisstore.Options{URL: master.URL(), MinReplicas: 1})
	appendTo(t, s, 0, drafts("a", 1))
	hangs.Freeze()
	for n := range 20 {
		appendTo(t, s, 0, drafts(fmt.Sprint("b", n), 1))
	}
	hangs.Thaw()
	until(t, "it has caught up", func() bool {
		appendTo(t, s, 0, drafts(fmt.Sprint("c", time.Now().UnixNano()), 1))
		return strings.Count(fmt.Sprint(master.Do("info", "replication")), "lag=0") == 2
	})
}

// A log that has lost its tail gets a new epoch, once, from whoever knew more;
// positions go on above those that are lost.
func TestLostTail(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	opt := redisstore.Options{URL: server.URL()}
	writer, reader, other := open(t, opt), open(t, opt), open(t, opt)
	appendTo(t, writer, 0, drafts("kept", 5))
	state := func(s *redisstore.Store) chat.State {
		t.Helper()
		st, err := s.State(within(t, patience), 0)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	before := state(other) // knows nothing of what will be lost
	restore := server.Backup()
	lost := appendTo(t, writer, 0, drafts("lost", 5))
	if n := len(readAll(t, reader, 0)); n != 10 {
		t.Fatalf("%d messages, want 10", n)
	}
	restore()

	if st := state(other); st != before {
		t.Errorf("a process that knew nothing of the tail sees %+v, before %+v", st, before)
	}
	after := state(reader) // knows it by reading alone
	if after.Epoch == before.Epoch || after.Head != before.Head {
		t.Errorf("the tail is lost, and the state is %+v; it was %+v", after, before)
	}
	if st := state(writer); st != after {
		t.Errorf("the second to notice changed the epoch again: %+v, %+v", st, after)
	}
	got := appendTo(t, writer, 0, drafts("new", 1))
	if got[0].ID.Compare(lost[4].ID) <= 0 {
		t.Errorf("%v was given out after %v, which is lost", got[0].ID, lost[4].ID)
	}
	if again := appendTo(t, writer, 0, drafts("lost", 5)); again[0].Duplicate {
		t.Error("a lost message is still called known")
	}
	if st := state(other); st.Epoch != after.Epoch {
		t.Error("the epoch changed again")
	}

	// And an append may be the first to notice, with the clock behind.
	restore()
	future := chat.Pos{Ms: uint64(time.Now().Add(time.Hour).UnixMilli())}
	server.Do("xadd", "chat:{p0}:log", fmt.Sprintf("%d-0", future.Ms), "1", "0", "m", "")
	server.Do("hset", "chat:{p0}:meta", "head", fmt.Sprintf("%d-0-0", future.Ms))
	ahead := open(t, opt)
	if st := state(ahead); st.Head != future {
		t.Fatalf("head is %v, want %v", st.Head, future)
	}
	was := state(ahead).Epoch
	restore()
	got = appendTo(t, ahead, 0, drafts("late", 1))
	if got[0].ID.Pos.Compare(future) <= 0 {
		t.Errorf("%v was given out after %v", got[0].ID.Pos, future)
	}
	if state(ahead).Epoch == was {
		t.Error("the append did not notice that the tail is lost")
	}
}

func TestFlushAll(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Options{URL: server.URL(), Partitions: 2})
	appendTo(t, s, 0, drafts("a", 3))
	was, err := s.State(within(t, patience), 0)
	if err != nil {
		t.Fatal(err)
	}
	server.Do("flushall")
	st, err := s.State(within(t, patience), 0)
	if err != nil || st.Epoch == was.Epoch || !st.Head.IsZero() {
		t.Errorf("after FLUSHALL: %+v, %v", st, err)
	}
	// The number of partitions is recorded anew, or checked against whoever
	// was first after the flush.
	appendTo(t, s, 0, drafts("a", 3))
	if got := server.Do("get", "chat:partitions"); got != "2" {
		t.Errorf("%v partitions are recorded, want 2", got)
	}
}

func TestPartitionsMustAgree(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	first := open(t, redisstore.Options{URL: server.URL(), Partitions: 3})
	appendTo(t, first, 0, drafts("a", 1))
	for _, set := range []int{0, 1, 2, 4} {
		s := open(t, redisstore.Options{URL: server.URL(), Partitions: set})
		_, err1 := s.State(within(t, patience), 0)
		_, err2 := s.Append(within(t, patience), 0, events(drafts("b", 1)))
		_, err3 := s.Read(within(t, patience), 0, chat.Pos{}, 10, 0)
		for _, err := range []error{err1, err2, err3} {
			if err == nil || !strings.Contains(err.Error(), "has 3 partitions") || !strings.Contains(err.Error(), "set partitions to 3") {
				t.Errorf("set to %d: error %v", set, err)
			}
		}
	}
	if n := len(readAll(t, first, 0)); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

// A process may start while Redis is away. Once it is plainly away, errors
// come at once, not at the deadline.
func TestOpenWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Kill()
	s := open(t, redisstore.Options{URL: server.URL()})
	ctx := within(t, patience)
	if _, err := s.Append(ctx, 0, events(drafts("a", 1))); err == nil || ctx.Err() != nil {
		t.Errorf("an append without Redis: %v; deadline: %v", err, ctx.Err())
	}
	if _, err := s.Read(ctx, 0, chat.Pos{}, 10, patience); err == nil || ctx.Err() != nil {
		t.Errorf("a read without Redis: %v; deadline: %v", err, ctx.Err())
	}
	if _, err := s.Tell(ctx, "a", chat.Here{People: 1}); err == nil || ctx.Err() != nil {
		t.Errorf("presence without Redis: %v; deadline: %v", err, ctx.Err())
	}
	server.Run()
	until(t, "appends succeed when Redis is there", func() bool {
		_, err := s.Append(within(t, patience), 0, events(drafts("a", 1)))
		return err == nil
	})
}

// A Redis that hangs: calls end with their contexts, and with Close.
func TestFrozenRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Options{URL: server.URL()})
	appendTo(t, s, 0, drafts("a", 1))
	server.Freeze()
	defer server.Thaw()
	if _, err := s.Append(within(t, 500*time.Millisecond), 0, events(drafts("b", 1))); err == nil {
		t.Error("an append to a frozen Redis succeeded")
	}
	ends := make(chan struct{})
	go func() {
		defer close(ends)
		_, _ = s.Append(context.Background(), 0, events(drafts("b", 1)))
		_, _ = s.Read(context.Background(), 0, chat.Pos{}, 10, patience)
	}()
	s.Close()
	select {
	case <-ends:
	case <-time.After(patience / 4):
		t.Error("Close did not end the calls")
	}
}

// Keys outlive the messages they name, move through the generations, and are
// forgotten in the end.
func TestKeysAreRememberedAndForgotten(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	// An age makes the store look often.
	s := open(t, redisstore.Options{URL: server.URL(), Retention: chat.Retention{Age: time.Second}})
	first := appendTo(t, s, 0, drafts("a", 3))
	until(t, "the messages are removed", func() bool { return len(readAll(t, s, 0)) == 0 })
	const meta = "chat:{p0}:meta"
	half := (chat.KeyMemory / 2).Milliseconds()
	for period := range 3 {
		if got := appendTo(t, s, 0, drafts("a", 3)); !got[2].Duplicate || got[2].ID != first[2].ID {
			t.Fatalf("after %d periods: %+v, want duplicates of %+v", period, got, first)
		}
		before := fmt.Sprint(time.Now().UnixMilli() - half - 1)
		server.Do("hset", meta, "rotated", before)
		until(t, "the generations move on", func() bool {
			now, _ := server.Do("hget", meta, "rotated").(string)
			return now != before
		})
	}
	for g := range 3 {
		if n := server.Do("hlen", fmt.Sprintf("chat:{p0}:keys%d", g)); n != int64(0) {
			t.Errorf("generation %d still holds %v keys", g, n)
		}
	}
	if got := appendTo(t, s, 0, drafts("a", 1)); got[0].Duplicate {
		t.Error("a key is remembered for ever")
	}
}

// Without a limit nothing is removed and no mark is set.
func TestNoRetention(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Options{URL: server.URL()})
	for n := range 12 {
		appendTo(t, s, 0, drafts(fmt.Sprint("a", n), 200))
	}
	if n := server.Do("exists", "chat:{p0}:marks"); n != int64(0) {
		t.Error("marks are set that nobody will ever need")
	}
}
