package redisnode

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
)

// chatURL is what the manifest gives the chat, for this set.
func chatURL(set []*member) string {
	var sentinels []string
	for _, m := range set {
		sentinels = append(sentinels, fmt.Sprintf("%s:%d", m.Me.Host, m.Me.Sentinel))
	}
	return "redis+sentinel://chat:c1@" + strings.Join(sentinels, ",") + "/" + MasterName + "/0?sentinel_user=chat&sentinel_password=c1"
}

// testLog shows what the store says of a test that fails.
type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func openStore(t testing.TB, set []*member) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(redisstore.Options{URL: chatURL(set), Logger: slog.New(slog.NewTextHandler(testLog{t}, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// books is what somebody who posts forty times a second notes.
type books struct {
	acked map[string]chat.ID
	tries int // that failed
	// longest is how long one try took.
	longest time.Duration
	stop    chan struct{}
	done    chan struct{}
}

func post(s *redisstore.Store) *books {
	b := &books{acked: make(map[string]chat.ID), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(b.done)
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			draft := chat.Draft{Key: fmt.Sprint("k", n), Topic: "general", Name: "Ann", Email: "ann@example.org", Content: strconv.Itoa(n)}
			for {
				select {
				case <-b.stop:
					return
				case <-tick.C:
				}
				begin := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				got, err := s.Append(ctx, 0, []chat.Event{chat.NewEvent(draft)})
				cancel()
				b.longest = max(b.longest, time.Since(begin))
				if err == nil {
					b.acked[draft.Key] = got[0].ID
					break
				}
				b.tries++ // and once more, with the same key
			}
		}
	}()
	return b
}

// close ends the posting and counts what was acknowledged and is not in the log.
func (b *books) close(t testing.TB, s *redisstore.Store) (lost int) {
	t.Helper()
	close(b.stop)
	<-b.done
	log := make(map[string]chat.ID)
	for at := (chat.Pos{}); ; {
		got, err := s.Read(t.Context(), 0, at, 1000, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Events) == 0 {
			break
		}
		for _, e := range got.Events {
			if _, twice := log[e.Draft.Key]; twice {
				t.Errorf("%s is in the log twice", e.Draft.Key)
			}
			log[e.Draft.Key] = e.ID
		}
		at = got.Through
	}
	for key, id := range b.acked {
		if log[key] != id {
			lost++
		}
	}
	t.Logf("%d acknowledged, %d in the log, %d lost, %d tries failed, the longest took %s", len(b.acked), len(log), lost, b.tries, b.longest.Round(time.Millisecond))
	return lost
}

// handovers is how often the tests below change the master; more find more.
func handovers() int {
	if n, err := strconv.Atoi(os.Getenv("HANDOVERS")); err == nil {
		return n
	}
	return 2
}

// Leave hands over while somebody posts: nothing acknowledged is lost, and each
// node can be master.
func TestLeaveLosesNothing(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	s := openStore(t, set)
	b := post(s)
	for range handovers() {
		master := whole(t, set)
		time.Sleep(time.Second) // some posts
		begin := time.Now()
		if err := master.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s left in %s", master.Name, time.Since(begin).Round(time.Millisecond))
		if next := whole(t, set); next == master {
			t.Errorf("%s is still master", master.Name)
		}
	}
	time.Sleep(time.Second)
	if lost := b.close(t, s); lost > 0 {
		t.Errorf("%d acknowledged messages are lost", lost)
	}
}

// Who is no master leaves at once, and a master that cannot hand over goes on.
func TestLeaveThatChangesNothing(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	if err := set[1].Leave(t.Context()); err != nil {
		t.Error(err)
	}
	for _, m := range set {
		m.sentinel.kill()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := set[0].Leave(ctx); err == nil {
		t.Error("it was handed over without a Sentinel")
	}
	set[0].do("set", "chat:a", "writes go on")
}

// An operator has a healthy master replaced (sentinel failover) while somebody
// posts: Sentinel promotes a replica while the old master still takes writes,
// which the other replica still confirms. None of these may be acknowledged.
func TestFailoverByHandLosesNothing(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	known(t, set)
	s := openStore(t, set)
	b := post(s)
	for range handovers() {
		master := whole(t, set)
		time.Sleep(time.Second) // some posts
		until(t, "a Sentinel begins", func() error {
			return set[0].ask(t.Context(), set[0].local(), set[0].Me.Sentinel, "sentinel", "failover", MasterName).Err()
		})
		until(t, "there is another master", func() error {
			if next := whole(t, set); next == master {
				return fmt.Errorf("%s is still master", master.Name)
			}
			return nil
		})
	}
	time.Sleep(time.Second)
	if lost := b.close(t, s); lost > 0 {
		t.Errorf("%d acknowledged messages are lost", lost)
	}
}

// A replica is killed, is away, and comes back, while somebody posts: posts go
// on with the other one.
func TestReplicaAway(t *testing.T) {
	t.Parallel()
	set := startSet(t)
	s := openStore(t, set)
	b := post(s)
	time.Sleep(500 * time.Millisecond)
	set[2].kill()
	time.Sleep(2 * time.Second)
	set[2].start()
	whole(t, set)
	time.Sleep(500 * time.Millisecond)
	if lost := b.close(t, s); lost > 0 {
		t.Errorf("%d acknowledged messages are lost", lost)
	}
	if b.tries > 0 {
		t.Errorf("%d posts failed for the loss of one replica", b.tries)
	}
}
