package redisstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
	"chatapp/chat/internal/trouble"
)

// record is a log that a test reads, and a count of failures by cause.
type record struct {
	mu     sync.Mutex
	text   bytes.Buffer
	counts map[string]int
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) failed(access trouble.Access, cause string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[string(access)+" "+cause]++
}

// lines gives the lines of the log that hold all words.
func (r *record) lines(words ...string) (found []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}

func (r *record) options(o redisstore.Options) redisstore.Options {
	o.Logger, o.Failed = slog.New(slog.NewTextHandler(r, nil)), r.failed
	return o
}

func stateOf(t *testing.T, s *redisstore.Store) chat.State {
	t.Helper()
	st, err := s.State(within(t, patience), 0)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func noTrouble(t *testing.T, s *redisstore.Store) {
	t.Helper()
	until(t, "there is no trouble any more", func() bool { return len(s.Trouble()) == 0 })
}

// The log loses its tail, and a process that never saw the tail appends first,
// so that the head is above what is lost. Whoever saw it notices all the same:
// who appends, who asks for the state, and who does nothing but read.
func TestForkedPast(t *testing.T) {
	t.Parallel()
	for _, notices := range []string{"append", "state", "read"} {
		t.Run(notices, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			opt := redisstore.Options{URL: server.URL()}
			writer, ignorant := open(t, opt), open(t, opt)
			appendTo(t, writer, 0, drafts("kept", 5))
			before := stateOf(t, ignorant)
			restore := server.Backup()
			lost := appendTo(t, writer, 0, drafts("lost", 5))
			seer := writer
			if notices != "append" {
				seer = open(t, opt)
				if n := len(readAll(t, seer, 0)); n != 10 {
					t.Fatalf("%d messages, want 10", n)
				}
			}
			restore()
			appendTo(t, ignorant, 0, drafts("above", 3))
			if st := stateOf(t, ignorant); st.Epoch != before.Epoch {
				t.Fatalf("the epoch changed before anybody could know: %+v", st)
			}
			switch notices {
			case "append":
				appendTo(t, seer, 0, drafts("more", 1))
			case "state":
				stateOf(t, seer)
			case "read":
				got, err := seer.Read(within(t, patience), 0, lost[4].ID.Pos, 100, 0)
				if err != nil || !got.Gap || len(got.Events) != 3 {
					t.Errorf("what comes after the lost: %+v, %v", got, err)
				}
			}
			after := stateOf(t, ignorant)
			if after.Epoch == before.Epoch {
				t.Error("the loss was not noticed")
			}
			if st := stateOf(t, seer); st.Epoch != after.Epoch {
				t.Error("the epoch changed again")
			}
			if got := appendTo(t, seer, 0, drafts("lost", 5)); got[0].Duplicate {
				t.Error("a lost message is still called known")
			}
			if st := stateOf(t, ignorant); st.Epoch != after.Epoch {
				t.Error("the epoch changed once more")
			}
		})
	}
}

// The stream is deleted, or evicted, alone. The next append or State, of
// whichever process, gives the past a new epoch, and says so.
func TestDeletedStream(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var r record
	writer := open(t, r.options(redisstore.Options{URL: server.URL()}))
	ignorant := open(t, redisstore.Options{URL: server.URL()})
	lost := appendTo(t, writer, 0, drafts("a", 5))
	was := stateOf(t, writer)
	server.Do("del", "chat:{p0}:log")
	got := appendTo(t, ignorant, 0, append(drafts("b", 1), drafts("a", 5)...)) // one that knows nothing
	if got[1].Duplicate || got[0].ID.Compare(lost[4].ID) <= 0 {
		t.Errorf("after the deletion: %+v; what is lost ends at %v", got, lost[4].ID)
	}
	now := stateOf(t, writer)
	if now.Epoch == was.Epoch || now.Floor.Compare(lost[4].ID.Pos) < 0 {
		t.Errorf("the state is %+v, it was %+v", now, was)
	}
	if n := len(r.lines("the log's past has changed")); n != 1 {
		t.Errorf("it is said %d times, want once", n)
	}
	if again := stateOf(t, open(t, redisstore.Options{URL: server.URL()})); again.Epoch != now.Epoch {
		t.Error("the epoch changed again")
	}
	if topics, err := writer.Topics(within(t, patience), 0); err != nil || len(topics) != 1 || topics[0].Messages != 6 {
		t.Errorf("topics: %+v, %v", topics, err)
	}

	// What else may be deleted alone.
	server.Do("del", "chat:{p0}:meta")
	if got := appendTo(t, writer, 0, drafts("c", 1)); got[0].Duplicate {
		t.Errorf("after meta was deleted: %+v", got)
	}
	if last := stateOf(t, ignorant); last.Epoch == now.Epoch {
		t.Error("the loss of meta was not noticed")
	}
	if n := len(readAll(t, writer, 0)); n != 7 {
		t.Errorf("%d messages, want 7", n)
	}
}

// A full Redis refuses posts, and says why; what is known is answered still,
// presence, state and a new server go on; retention frees what is past its
// age although there is no mark yet; then posts are taken by themselves.
func TestFullRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	age := 10 * time.Second // far more than what comes before it takes
	var r record
	opt := r.options(redisstore.Options{
		URL: server.URL(), Memory: 1 << 40, // no budget: Redis itself is the limit
		Retention: chat.Retention{Age: age},
	})
	s := open(t, opt)
	known := appendTo(t, s, 0, drafts("known", 1))
	// What is there now is all that may be, and a little.
	used := server.Info("used_memory")
	server.Do("config", "set", "maxmemory", "1")
	if _, err := s.Append(within(t, patience), 0, events(drafts("b", 1))); err == nil || chat.Unavailable(err).Message != "the message log is full; try again with the same key" {
		t.Errorf("an append to a full Redis (%s bytes): %v", used, err)
	}
	for range 5 {
		_, _ = s.Append(within(t, patience), 0, events(drafts("b", 1)))
	}
	if said := strings.Join(s.Trouble(), "\n"); !strings.Contains(said, "writes of partition 0 fail") || !strings.Contains(said, "is full (OOM)") {
		t.Errorf("the trouble is told as %q", said)
	}
	if got := appendTo(t, s, 0, drafts("known", 1)); !got[0].Duplicate || got[0].ID != known[0].ID {
		t.Errorf("a known key: %+v", got)
	}
	if _, err := s.Append(within(t, patience), 0, events(drafts("b", 1))); err == nil {
		t.Error("an append to a full Redis succeeded")
	}
	fresh := open(t, redisstore.Options{URL: server.URL(), Retention: chat.Retention{Age: age}, Memory: 1 << 40})
	stateOf(t, fresh)
	if n := len(readAll(t, fresh, 0)); n != 1 {
		t.Errorf("a new server reads %d messages, want 1", n)
	}
	if crowd, err := fresh.Tell(within(t, patience), "pod", chat.Here{People: 3, Open: true}); err != nil || crowd.People != 3 {
		t.Errorf("presence: %+v, %v", crowd, err)
	}
	until(t, "retention frees what is past its age", func() bool { return len(readAll(t, s, 0)) == 0 })
	server.Do("config", "set", "maxmemory", "0")
	noTrouble(t, s) // nobody posts: it is found out
	appendTo(t, s, 0, drafts("b", 1))
	s.Close() // says what is over
	if n, m := len(r.lines("trouble begins", "cause=OOM")), len(r.lines("trouble is over", "cause=OOM")); n != 1 || m != 1 {
		t.Errorf("OOM is said to begin %d times and to end %d times\n%s", n, m, &r.text)
	}
}

// The budget is kept to by removing messages sooner than set, and that is said.
func TestMemoryBudget(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory", "8mb")
	var r record
	s := open(t, r.options(redisstore.Options{URL: server.URL(), Retention: chat.Retention{Age: 4 * time.Second, Messages: 1_000_000}}))
	until(t, "the budget is known", func() bool { return len(r.lines("redis memory", "maxmemory=8388608", "budget=6291456")) == 1 })
	text := strings.Repeat("x", 4000)
	for n := range 120 { // 120 × 25 × 4 kB: 12 MB
		ds := drafts(fmt.Sprint("m", n, "-"), 25)
		for i := range ds {
			ds[i].Content = text
		}
		appendUntil(t, s, ds)
	}
	if n := len(readAll(t, s, 0)); n == 0 {
		t.Error("nothing is left")
	}
	if used := server.Info("used_memory"); used == "" {
		t.Error("no figure")
	} else {
		t.Logf("used_memory after 12 MB of messages with maxmemory 8 MB: %s", used)
	}
}

// appendUntil appends until it succeeds: a full Redis is free again by itself.
func appendUntil(t *testing.T, s *redisstore.Store, ds []chat.Draft) {
	t.Helper()
	until(t, "an append succeeds", func() bool {
		_, err := s.Append(within(t, patience), 0, events(ds))
		return err == nil
	})
}

// TestKeyBytes measures what a remembered key takes.
func TestKeyBytes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	s := open(t, redisstore.Options{URL: server.URL()})
	const batches = 200
	for n := range batches {
		appendTo(t, s, 0, drafts(fmt.Sprint("k", n), chat.MaxBatch))
	}
	size, _ := server.Do("memory", "usage", "chat:{p0}:keys0", "samples", "0").(int64)
	each := float64(size) / (batches * chat.MaxBatch)
	t.Logf("a remembered key takes %.1f bytes", each)
	if each < 60 || each > 110 {
		t.Errorf("a remembered key takes %.1f bytes; the budget says 98", each)
	}
}

// Redis settings that let it throw acknowledged messages away are said.
func TestEvictionIsSaid(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	var r record
	s := open(t, r.options(redisstore.Options{URL: server.URL()}))
	until(t, "it is said", func() bool { return strings.Contains(strings.Join(s.Trouble(), ""), "maxmemory-policy allkeys-lru") })
	if n := len(r.lines("level=ERROR", "allkeys-lru")); n != 1 {
		t.Errorf("it is logged %d times, want once", n)
	}
}

// unsaved makes Redis refuse writes because it could not save: a folder stands
// where its file should. (That the folder cannot be written to would not stop
// a test that root runs.)
func unsaved(s *redistest.Server) {
	_ = os.Mkdir(filepath.Join(s.Dir(), "dump.rdb"), 0o700) // if it fails, so does the test
	s.Do("config", "set", "save", "3600 1")
	s.Do("bgsave")
	s.Await("rdb_last_bgsave_status", "err")
}

func saved(s *redistest.Server) {
	_ = os.Remove(filepath.Join(s.Dir(), "dump.rdb"))
	s.Do("bgsave")
	s.Await("rdb_last_bgsave_status", "ok")
}

// occupy keeps Redis busy with a script until release kills it.
func occupy(s *redistest.Server) {
	s.Do("config", "set", "lua-time-limit", "50")
	go func() {
		c := s.Client()
		defer c.Close()
		_ = c.Eval(context.Background(), "while true do end", nil).Err() // killed
	}()
	c := s.Client()
	defer c.Close()
	for !redis.HasErrorPrefix(c.Ping(context.Background()).Err(), "BUSY") {
		time.Sleep(10 * time.Millisecond)
	}
}

func release(s *redistest.Server) { s.Do("script", "kill") }

// reload starts Redis again with so much to load that it takes ten seconds,
// unless loaded lets it hurry.
func reload(s *redistest.Server) {
	s.Do("eval", "for i = 1, 20000 do redis.call('set', 'other' .. i, 'x') end", "0")
	s.Do("bgrewriteaof")
	s.Await("aof_rewrite_in_progress", "0")
	s.Kill()
	s.RunWith("--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024")
	s.Await("loading", "1")
	mayDoAll(s)
}

func loaded(s *redistest.Server) {
	s.Do("config", "set", "key-load-delay", "0")
	s.Await("loading", "0")
}

// mayDoAll makes the user of the test, whom a Redis that starts does not know.
func mayDoAll(s *redistest.Server) { s.Do("acl", "setuser", "u", "on", ">p", "~*", "&*", "+@all") }

// Each cause is logged once when it begins and once when it is over, with the
// number of failures; it is counted, told to operators, and to who posts.
func TestCausesAreSaidOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cause, reason string
		begin, end    func(*redistest.Server)
	}{
		{"READONLY", "takes no writes", func(s *redistest.Server) { s.Do("replicaof", "127.0.0.1", "1") }, func(s *redistest.Server) { s.Do("replicaof", "no", "one") }},
		{"NOREPLICAS", "too few replicas", func(s *redistest.Server) { s.Do("config", "set", "min-replicas-to-write", "1") }, func(s *redistest.Server) { s.Do("config", "set", "min-replicas-to-write", "0") }},
		{"NOPERM", "rights", func(s *redistest.Server) { s.Do("acl", "setuser", "u", "-evalsha", "-eval", "-script") }, func(s *redistest.Server) { s.Do("acl", "setuser", "u", "+@all") }},
		{"WRONGPASS", "password", func(s *redistest.Server) {
			s.Do("acl", "setuser", "u", "resetpass", ">other")
			s.Do("client", "kill", "user", "u")
		}, func(s *redistest.Server) { s.Do("acl", "setuser", "u", "resetpass", ">p") }},
		{"NETWORK", "cannot be reached", func(s *redistest.Server) { s.Kill() }, func(s *redistest.Server) { s.Restart(); mayDoAll(s) }},
		{"OOM", "is full", func(s *redistest.Server) { s.Do("config", "set", "maxmemory", "1") }, func(s *redistest.Server) { s.Do("config", "set", "maxmemory", "0") }},
		{"MISCONF", "cannot write to its disk", unsaved, saved},
		{"BUSY", "busy with somebody's script", occupy, release},
		{"LOADING", "loading its data", reload, loaded},
	} {
		t.Run(c.cause, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			mayDoAll(server)
			var r record
			s := open(t, r.options(redisstore.Options{URL: "redis://u:p@" + server.Addr + "/0"}))
			appendTo(t, s, 0, drafts("a", 1))
			c.begin(server)
			for range 5 {
				if _, err := s.Append(within(t, patience), 0, events(drafts("b", 1))); err == nil {
					t.Fatal("the append succeeded")
				} else if text := chat.Unavailable(err).Message; !strings.Contains(text, c.reason) {
					t.Errorf("clients are told %q of %v", text, err)
				}
			}
			if said := strings.Join(s.Trouble(), "\n"); !strings.Contains(said, "writes of partition 0") || !strings.Contains(said, c.cause) {
				t.Errorf("the trouble is told as %q", said)
			}
			c.end(server)
			noTrouble(t, s)
			appendTo(t, s, 0, drafts("b", 1))
			s.Close() // says what is over
			begins, ends := r.lines("trouble begins", "access=writes", "cause="+c.cause), r.lines("trouble is over", "access=writes", "cause="+c.cause, "failures=")
			if len(begins) != 1 || len(ends) != 1 {
				t.Errorf("said to begin %d times, to end %d times:\n%s", len(begins), len(ends), &r.text)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.counts["writes "+c.cause] < 5 {
				t.Errorf("counted: %v", r.counts)
			}
		})
	}
}

// A replica that confirms late: the try after it finds what the first one has
// appended, and does not call it a repeat.
func TestLateConfirmationIsNoRepeat(t *testing.T) {
	t.Parallel()
	ha := redistest.StartHA(t) // the patience of a call is long enough for two tries
	master := ha.Master
	s := open(t, redisstore.Options{URL: ha.URL()})
	known := appendTo(t, s, 0, drafts("known", 1))
	for _, r := range ha.Replicas {
		r.Freeze()
	}
	answer := make(chan []chat.Appended, 1)
	go func() {
		got, err := s.Append(within(t, patience), 0, events(drafts("late", 3)))
		if err != nil {
			t.Errorf("append: %v", err)
		}
		answer <- got
	}()
	until(t, "it was tried twice", func() bool { n := master.Do("hget", "chat:{p0}:meta", "duplicates"); return n != nil && n != "0" })
	for _, r := range ha.Replicas {
		r.Thaw()
	}
	if got := <-answer; got != nil && (got[0].Duplicate || got[2].Duplicate) {
		t.Errorf("called a repeat: %+v", got)
	}
	if got := appendTo(t, s, 0, append(drafts("late", 3), drafts("known", 1)...)); !got[0].Duplicate || got[3].ID != known[0].ID {
		t.Errorf("a real repeat: %+v", got)
	}
}
