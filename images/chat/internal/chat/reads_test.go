package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// long is a log of n messages of size characters each, over some topics.
func long(parts, n, size int, topics ...string) *fakeLog {
	log := newFakeLog(parts)
	for i := range n {
		topic := topics[i%len(topics)]
		part := PartitionOf(topic, parts)
		d := keyed(fmt.Sprint("k", i))
		d.Topic, d.Content = topic, strings.Repeat("\x01", size)
		log.events[part] = append(log.events[part], Event{
			ID: ID{Pos: Pos{Ms: uint64(1 + i)}, Part: uint8(part)}, Kind: KindMessage, Draft: d,
		})
	}
	return log
}

// TestPageBytes: a page ends with the message that reaches its budget, has one
// message at the least, and the pages together have every message once.
func TestPageBytes(t *testing.T) {
	for _, size := range []int{10, 700, MaxContent} {
		for _, topics := range []TopicSet{AllTopics, {Names: []string{"tea"}}, {Names: []string{"cake", "jam", "tea"}}} {
			log := long(3, 300, size, "tea", "cake", "jam", "milk")
			s := NewService(log, Options{})
			var got []Message
			for before := (ID{}); ; {
				page, err := s.History(t.Context(), Guest, topics, before, MaxHistory)
				if err != nil || len(page.Messages) == 0 {
					t.Fatalf("%d messages, %v", len(page.Messages), err)
				}
				bytes := 0
				for i := range page.Messages {
					bytes += pageSize(&page.Messages[i])
				}
				if most := PageBytes + pageSize(&page.Messages[0]); bytes >= most {
					t.Fatalf("%d characters: a page of %d bytes; want less than %d", size, bytes, most)
				}
				if page.More && len(page.Messages) < MaxHistory && bytes < PageBytes {
					t.Fatalf("%d characters: a page ends at %d bytes", size, bytes)
				}
				got = append(slices.Clone(page.Messages), got...)
				if !page.More {
					break
				}
				before = page.Messages[0].ID
			}
			var want []Message
			for _, events := range log.events {
				for _, e := range events {
					if topics.Has(e.Draft.Topic) {
						want = append(want, e.Message())
					}
				}
			}
			slices.SortFunc(want, func(a, b Message) int { return a.ID.Compare(b.ID) })
			if !slices.Equal(got, want) {
				t.Errorf("%d characters, %v: the pages have %d messages; want %d", size, topics, len(got), len(want))
			}
		}
	}
}

// TestPageReadsLittle: what is read for a page does not depend on the limit
// where messages are large.
func TestPageReadsLittle(t *testing.T) {
	log := long(1, 300, MaxContent, "tea")
	most := 0
	s := NewService(watched{log, func(events []Event) { most += len(events) }}, Options{})
	if _, err := s.History(t.Context(), Guest, AllTopics, ID{}, MaxHistory); err != nil {
		t.Fatal(err)
	}
	if most > firstStep {
		t.Errorf("%d messages were read for a page of 4", most)
	}
}

// watched tells of what Before gives.
type watched struct {
	*fakeLog
	gave func([]Event)
}

func (w watched) Before(ctx context.Context, part int, topic string, before Pos, max int) ([]Event, error) {
	events, err := w.fakeLog.Before(ctx, part, topic, before, max)
	w.gave(events)
	return events, err
}

// TestManyTopicsCostFewQuestions: unknown topics one for each partition; known
// ones at most one more for each message that a page can have.
func TestManyTopicsCostFewQuestions(t *testing.T) {
	set := func(n int) TopicSet {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("topic%03d", i))
		}
		topics, err := NewTopicSet(names)
		if err != nil {
			t.Fatal(err)
		}
		return topics
	}
	unknown := set(MaxTopics)
	for _, parts := range []int{1, 16} {
		log := long(parts, 3000, 10, "tea")
		s := NewService(log, Options{})
		page, err := s.History(t.Context(), Guest, unknown, ID{}, 50)
		if err != nil || len(page.Messages) != 0 || page.More {
			t.Errorf("unknown topics: %d messages, more %v, %v", len(page.Messages), page.More, err)
		}
		if n := log.times("before", "last"); n > parts {
			t.Errorf("%d unknown topics in %d partitions: %d questions; want one a partition", MaxTopics, parts, n)
		}
	}
	log := long(1, 3000, 10, unknown.Names...)
	s := NewService(log, Options{})
	page, err := s.History(t.Context(), Guest, unknown, ID{}, 50)
	if err != nil || len(page.Messages) != 50 || !page.More || page.Messages[49].Time().UnixMilli() != 3000 {
		t.Errorf("known topics: %d messages, more %v, %v", len(page.Messages), page.More, err)
	}
	if n := log.times("before", "last"); n > 52 {
		t.Errorf("%d known topics: %d questions; want at most 52", MaxTopics, n)
	}
}

// TestNothingSince: that topics have nothing new is known without reading.
func TestNothingSince(t *testing.T) {
	log := long(1, 100, 10, "tea")
	s := NewService(log, Options{})
	for _, c := range []struct {
		topics TopicSet
		after  uint64
		want   bool
	}{
		{TopicSet{}, 1, true},
		{TopicSet{Names: []string{"cake"}}, 1, true},
		{TopicSet{Names: []string{"cake", "tea"}}, 99, false},
		{TopicSet{Names: []string{"cake", "tea"}}, 100, true},
		{AllTopics, 100, false},
	} {
		if got, err := s.NothingSince(t.Context(), c.topics, 0, Pos{Ms: c.after}); err != nil || got != c.want {
			t.Errorf("%v after %d: %v, %v", c.topics, c.after, got, err)
		}
	}
	if log.times("read", "before") > 0 {
		t.Error("it read")
	}
	log.floor = Pos{Ms: 50}
	if _, err := s.NothingSince(t.Context(), TopicSet{}, 0, Pos{Ms: 49}); err != ErrOvertaken {
		t.Errorf("before the floor: %v", err)
	}
}

// slowLog answers Before when the test lets it.
type slowLog struct {
	*fakeLog
	let chan struct{}

	mu            sync.Mutex
	now, most, in int
}

func (s *slowLog) Before(ctx context.Context, part int, topic string, before Pos, most int) ([]Event, error) {
	s.mu.Lock()
	s.in++
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.now--; s.mu.Unlock() }()
	select {
	case <-s.let:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return s.fakeLog.Before(ctx, part, topic, before, most)
}

// TestReadsAreBoundedAndShared: of a flood of questions a few are under way;
// those that wait with the same question are answered together; who comes when
// it is under way is not, for it might lack what was posted meanwhile.
func TestReadsAreBoundedAndShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{fakeLog: long(1, 100, 10, "tea"), let: make(chan struct{})}
		s := NewService(log, Options{})
		var done sync.WaitGroup
		ask := func(limit int) {
			done.Go(func() {
				page, err := s.History(t.Context(), Guest, AllTopics, ID{}, limit)
				if err != nil || len(page.Messages) != limit {
					t.Errorf("%d messages, %v; want %d", len(page.Messages), err, limit)
				}
			})
		}
		for range readsAtATime {
			ask(10) // each is under way when the next comes
			synctest.Wait()
		}
		for range 500 {
			ask(10)
			ask(20)
		}
		given, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done.Go(func() { // gives up while it waits, and takes nobody with it
			if _, err := s.History(given, Guest, AllTopics, ID{}, 30); err == nil {
				t.Error("answered after its time")
			}
		})
		synctest.Wait()
		ask(30)
		time.Sleep(2 * time.Second)
		if log.in != readsAtATime {
			t.Errorf("%d questions were asked; want %d", log.in, readsAtATime)
		}
		close(log.let)
		done.Wait()
		if log.in != readsAtATime+3 || log.most != readsAtATime {
			t.Errorf("%d questions, %d at a time; want %d, %d", log.in, log.most, readsAtATime+3, readsAtATime)
		}
	})
}

// TestTopicsAreShared: many who ask cost the log one look in a second, and yet
// the list has what was posted before the question.
func TestTopicsAreShared(t *testing.T) {
	service(t, 3, func(t *testing.T, s *Service, log *fakeLog) {
		ctx, stop := context.WithCancel(t.Context())
		var tails sync.WaitGroup
		for part := range 3 {
			tails.Go(func() {
				var at Pos
				for ctx.Err() == nil {
					b, _ := s.Follow(ctx, part, at, 10, 0)
					at = b.Through
					time.Sleep(time.Millisecond)
				}
			})
		}
		for i := range 50 {
			d := keyed(fmt.Sprint("k", i))
			d.Topic = fmt.Sprint("topic", i%20)
			posted, _, err := s.Post(t.Context(), Guest, d)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond) // the sort of the list before
			infos, next, err := s.Topics(t.Context(), Guest, ID{}, 100)
			if err != nil || len(infos) != min(20, i+1) || next != (ID{}) || infos[0].Last != posted.ID || infos[0].Messages != int64(1+i/20) {
				t.Fatalf("after post %d: %d topics, the first %+v, %v", i, len(infos), infos[0], err)
			}
		}
		if n := log.times("topics"); n > 2*3 {
			t.Errorf("within a second, %d questions; want at most 6", n)
		}
		var all []TopicInfo
		for after := (ID{}); ; {
			page, next, err := s.Topics(t.Context(), Guest, after, 7)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page...)
			if after = next; after == (ID{}) {
				break
			}
		}
		if len(all) != 20 || !slices.IsSortedFunc(all, newestFirst) {
			t.Errorf("the pages have %d topics", len(all))
		}
		stop()
		tails.Wait()
	})
}

// TestListOutlivesItsQuestion: with many topics on a busy machine the list
// takes longer to read than anybody waits. It is read all the same, once, and
// who asks then gets it at once, also while it is read anew.
func TestListOutlivesItsQuestion(t *testing.T) {
	service(t, 1, func(t *testing.T, s *Service, log *fakeLog) {
		log.slow = 12 * time.Second
		if _, _, err := s.Post(t.Context(), Guest, keyed("k")); err != nil {
			t.Fatal(err)
		}
		ask := func() (int, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			infos, _, err := s.Topics(ctx, Guest, ID{}, 10)
			return len(infos), err
		}
		for range 2 {
			if n, err := ask(); err == nil || AsError(err).Code != CodeUnavailable {
				t.Fatalf("before the list can be there: %d topics, %v; want unavailable", n, err)
			}
		}
		for range 3 {
			if n, err := ask(); n != 1 || err != nil {
				t.Fatalf("%d topics, %v; want 1", n, err)
			}
		}
		if n := log.times("topics"); n != 1 {
			t.Errorf("the log was asked %d times; want once", n)
		}
		time.Sleep(scanShare * log.slow) // it is due again
		for range 10 {
			began := time.Now()
			if n, err := ask(); n != 1 || err != nil || time.Since(began) > time.Second {
				t.Fatalf("%d topics, %v after %v; want 1 soon", n, err, time.Since(began))
			}
		}
		if n := log.times("topics"); n != 2 {
			t.Errorf("the log was asked %d times; want twice", n)
		}
	})
}
