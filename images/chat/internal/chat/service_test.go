package chat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errAway = errors.New("the log is away")

func started(log Log) *Service {
	s := NewService(log, Options{AppendTimeout: testTimeout})
	s.Start()
	return s
}

func closeIt(t *testing.T, s *Service) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// service runs a test in a synctest bubble with a Service over a fake store.
func service(t *testing.T, parts int, test func(t *testing.T, s *Service, store *fakeLog)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeLog(parts)
		s := started(store)
		defer closeIt(t, s)
		test(t, s, store)
	})
}

func keyed(key string) Draft {
	d := draft()
	d.Key = key
	return d
}

func TestPost(t *testing.T) {
	service(t, 3, func(t *testing.T, s *Service, store *fakeLog) {
		d := draft()
		d.Name, d.Topic = " Ann ", DefaultTopic
		m, duplicate, err := s.Post(t.Context(), Guest, d)
		if err != nil || duplicate || m.Name != "Ann" || m.Topic != DefaultTopic || int(m.ID.Part) != PartitionOf(DefaultTopic, 3) {
			t.Fatalf("%+v, %v, %v", m, duplicate, err)
		}
		again := d
		again.Content = "other words"
		if got, duplicate, err := s.Post(t.Context(), Guest, again); err != nil || !duplicate || got != m {
			t.Errorf("the same key again: %+v, %v, %v; want the first message, as a duplicate", got, duplicate, err)
		}
		store.err = errAway
		if got, _, err := s.Post(t.Context(), Guest, again); AsError(err).Code != CodeUnavailable {
			t.Errorf("without history: %+v, %v; want unavailable: the first message may be deleted", got, err)
		}
		d.Content = " "
		if _, _, err := s.Post(t.Context(), Guest, d); AsError(err).Code != CodeBadMessage {
			t.Errorf("blank content: %v", err)
		}
	})
}

func TestPostsThatComeTogetherAreAppendedTogether(t *testing.T) {
	service(t, 1, func(t *testing.T, s *Service, store *fakeLog) {
		open := make(chan struct{})
		store.gate = func(context.Context, int, []Event) error { <-open; return nil }
		var answered []string
		post := func(key string) {
			s.PostFunc(Guest, keyed(key), func(m Message, _ bool, err error) {
				if err != nil || m.Key != key {
					t.Errorf("post %s: %+v, %v", key, m, err)
				}
				answered = append(answered, key)
			})
		}
		const n = 2*MaxBatch + 10
		var want []string
		for i := range n + 1 {
			want = append(want, fmt.Sprint("k", i))
			post(want[i])
			if i == 0 {
				synctest.Wait() // a lone post does not wait for more
			}
		}
		close(open)
		synctest.Wait()
		var sizes []int
		for _, b := range store.batches {
			sizes = append(sizes, len(b))
		}
		if !slices.Equal(sizes, []int{1, MaxBatch, MaxBatch, 10}) {
			t.Errorf("batches of %v", sizes)
		}
		if !slices.Equal(answered, want) {
			t.Error("answers are not in the order of the posts")
		}
	})
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	service(t, 1, func(t *testing.T, s *Service, store *fakeLog) {
		open := make(chan struct{})
		store.gate = func(context.Context, int, []Event) error { <-open; return nil }
		answers := 0
		for i := range 201 {
			d := keyed(fmt.Sprint("k", i))
			d.Content = strings.Repeat("🙂", MaxContent)
			s.PostFunc(Guest, d, func(_ Message, _ bool, err error) {
				if err != nil {
					t.Error(err)
				}
				answers++
			})
			if i == 0 {
				synctest.Wait()
			}
		}
		close(open)
		synctest.Wait()
		for i, b := range store.batches {
			size := 0
			for _, e := range b {
				size += e.Size()
			}
			if size > maxBatchBytes {
				t.Errorf("batch %d has %d bytes; want at most %d", i, size, maxBatchBytes)
			}
		}
		if answers != 201 || len(store.batches) != 1+4 {
			t.Errorf("%d answers in %d batches; want 201 in 5", answers, len(store.batches))
		}
	})
}

func TestFullQueue(t *testing.T) {
	service(t, 1, func(t *testing.T, s *Service, store *fakeLog) {
		open := make(chan struct{})
		store.gate = func(context.Context, int, []Event) error { <-open; return nil }
		stored, refused := 0, 0
		for i := range 3000 {
			d := keyed(fmt.Sprint("k", i))
			d.Content = strings.Repeat("🙂", MaxContent)
			s.PostFunc(Guest, d, func(_ Message, _ bool, err error) {
				switch {
				case err == nil:
					stored++
				case AsError(err).Code == CodeUnavailable && AsError(err).RetryAfter > 0:
					refused++
				default:
					t.Error(err)
				}
			})
		}
		if refused == 0 || refused > 1500 {
			t.Errorf("%d of 3,000 posts of 16 KiB refused at once; want those past %d MiB", refused, maxQueued>>20)
		}
		close(open)
		synctest.Wait()
		if stored+refused != 3000 {
			t.Errorf("%d stored, %d refused; want 3,000 answers", stored, refused)
		}
	})
}

func TestAppendThatFailsOrHangs(t *testing.T) {
	service(t, 1, func(t *testing.T, s *Service, store *fakeLog) {
		store.gate = func(context.Context, int, []Event) error { return errAway }
		_, _, err := s.Post(t.Context(), Guest, keyed("k"))
		if e := AsError(err); e.Code != CodeUnavailable || !errors.Is(err, errAway) || e.RetryAfter != time.Second {
			t.Errorf("%v; want unavailable because the log is away", err)
		}
		store.gate = func(ctx context.Context, _ int, _ []Event) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		if _, _, err := s.Post(t.Context(), Guest, keyed("k")); AsError(err).Code != CodeUnavailable || time.Since(began) != testTimeout {
			t.Errorf("%v after %v; want unavailable after %v", err, time.Since(began), testTimeout)
		}
		// A caller that gives up is answered then, whatever becomes of the post.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if _, _, err := s.Post(ctx, Guest, keyed("k")); AsError(err).Code != CodeUnavailable || time.Since(began) != time.Second {
			t.Errorf("%v after %v; want unavailable after 1s", err, time.Since(began))
		}
		time.Sleep(testTimeout) // the writer has given up, too
		synctest.Wait()
		store.gate = nil
		if _, duplicate, err := s.Post(t.Context(), Guest, keyed("k")); err != nil || duplicate {
			t.Errorf("with the log back: %v, duplicate %v", err, duplicate)
		}
	})
}

func TestCloseAnswersWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeLog(4)
		store.gate = func(context.Context, int, []Event) error { time.Sleep(time.Second); return nil }
		s := started(store)
		answers := 0
		for i := range 100 {
			d := keyed(fmt.Sprint("k", i))
			d.Topic = fmt.Sprint("topic", i%10)
			s.PostFunc(Guest, d, func(_ Message, _ bool, err error) {
				if err != nil {
					t.Error(err)
				}
				store.mu.Lock()
				answers++
				store.mu.Unlock()
			})
		}
		closeIt(t, s)
		if answers != 100 {
			t.Errorf("%d of 100 answered before Close returned", answers)
		}
		if _, _, err := s.Post(t.Context(), Guest, keyed("late")); AsError(err).Code != CodeUnavailable {
			t.Errorf("a post after Close: %v", err)
		}
		closeIt(t, s) // again, harmlessly
	})
}

// TestHistory compares pages over several partitions with a sorted list of
// everything, for every message as the bound.
func TestHistory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	store := newFakeLog(4)
	var all []Message
	for i := range 120 {
		// Several partitions have messages at the same position.
		topic := fmt.Sprint("topic", rng.IntN(8))
		part := PartitionOf(topic, 4)
		m := Message{ID: ID{Pos: Pos{Ms: 1 + uint64(i/5), Seq: uint32(i)}, Part: uint8(part)}, Draft: Draft{Topic: topic, Content: fmt.Sprint(i)}}
		if n := len(all); n > 0 && all[n-1].ID.Part != m.ID.Part && rng.IntN(2) == 0 {
			m.ID.Pos = all[n-1].ID.Pos
		}
		if part := store.events[part]; len(part) > 0 && part[len(part)-1].ID.Pos == m.ID.Pos {
			continue
		}
		store.events[part] = append(store.events[part], Event{ID: m.ID, Kind: KindMessage, Draft: m.Draft})
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Message) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	s := started(store)
	defer closeIt(t, s)
	for _, topics := range []TopicSet{AllTopics, {}, {Names: []string{"topic3"}}, {Names: []string{"topic0", "topic1", "topic5"}}} {
		var mine []Message
		for _, m := range all {
			if topics.Has(m.Topic) {
				mine = append(mine, m)
			}
		}
		for i := range len(all) + 1 {
			var before ID
			end := len(mine)
			if i < len(all) {
				before = all[i].ID
				end = 0
				for end < len(mine) && mine[end].ID.Compare(before) < 0 {
					end++
				}
			}
			for _, limit := range []int{-1, 1, 7, 50, 1000} {
				n := max(1, min(limit, MaxHistory))
				page, err := s.History(t.Context(), Guest, topics, before, limit)
				if err != nil {
					t.Fatal(err)
				}
				if want := mine[max(0, end-n):end]; !slices.Equal(page.Messages, want) || page.More != (end > n) {
					t.Fatalf("%v before %v, limit %d: %d messages, more %v; want %d", topics, before, limit, len(page.Messages), page.More, len(want))
				}
			}
		}
	}
	store.err = errAway
	if _, err := s.History(t.Context(), Guest, AllTopics, ID{}, 1); AsError(err).Code != CodeUnavailable {
		t.Errorf("without the log: %v", err)
	}
	if _, _, err := s.Topics(t.Context(), Guest, ID{}, 10); AsError(err).Code != CodeUnavailable {
		t.Errorf("without the log: %v", err)
	}
}

func TestTopics(t *testing.T) {
	service(t, 3, func(t *testing.T, s *Service, _ *fakeLog) {
		for i, topic := range []string{"tea", "cake", "jam", "tea"} {
			d := keyed(fmt.Sprint("k", i))
			d.Topic = topic
			if _, _, err := s.Post(t.Context(), Guest, d); err != nil {
				t.Fatal(err)
			}
		}
		infos, _, err := s.Topics(t.Context(), Guest, ID{}, 10)
		var got []string
		for _, info := range infos {
			got = append(got, fmt.Sprint(info.Topic, info.Messages))
		}
		if err != nil || !slices.Equal(got, []string{"tea2", "jam1", "cake1"}) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
