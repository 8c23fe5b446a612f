package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// mixed is a log of one partition in which most events are stepped over.
func mixed() (log *fakeLog, messages []Message) {
	log = newFakeLog(1)
	for i := range 200 {
		e := Event{ID: ID{Pos: Pos{Ms: uint64(1 + i)}}, Kind: 'z', Draft: Draft{Topic: fmt.Sprint("topic", i%2)}}
		switch {
		case i%7 == 0:
			e.Kind, e.Draft.Content = KindMessage, fmt.Sprint(i)
			messages = append(messages, e.Message())
		case i%5 == 0:
			e = Damaged(e.ID, "")
		}
		log.events[0] = append(log.events[0], e)
	}
	return log, messages
}

// TestHistoryReadsOnOverWhatItStepsOver: a page is as full as the log allows,
// and More is right, however many events there are between its messages.
func TestHistoryReadsOnOverWhatItStepsOver(t *testing.T) {
	log, messages := mixed()
	counted := map[Kind]int{}
	s := NewService(log, Options{SteppedOver: func(e Event) { counted[e.Kind]++ }})
	for _, topics := range []TopicSet{AllTopics, {Names: []string{"topic1"}}} {
		var mine []Message
		for _, m := range messages {
			if topics.Has(m.Topic) {
				mine = append(mine, m)
			}
		}
		for end := range len(mine) + 1 {
			before := ID{}
			if end < len(mine) {
				before = mine[end].ID
			}
			for _, limit := range []int{1, 4, 100} {
				page, err := s.History(t.Context(), Guest, topics, before, limit)
				if want := mine[max(0, end-limit):end]; err != nil || !slices.Equal(page.Messages, want) || page.More != (end > limit) {
					t.Fatalf("%v: %d before the %dth: %d messages, more %v, %v; want %d", topics, limit, end, len(page.Messages), page.More, err, len(want))
				}
			}
		}
	}
	if counted['z'] == 0 || counted[KindDamaged] == 0 || counted[KindMessage] > 0 {
		t.Errorf("stepped over: %v", counted)
	}
}

// TestFollowStepsOver: what is read in one go comes to the end of it.
func TestFollowStepsOver(t *testing.T) {
	log, messages := mixed()
	stepped := 0
	s := NewService(log, Options{SteppedOver: func(Event) { stepped++ }})
	var got []Message
	at := Pos{}
	for {
		b, err := s.Follow(t.Context(), 0, at, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		if b.Through == at {
			break
		}
		for _, e := range b.Events {
			got = append(got, e.Message())
		}
		at = b.Through
	}
	if !slices.Equal(got, messages) || stepped != 200-len(messages) {
		t.Errorf("%d messages, %d stepped over; want %d and %d", len(got), stepped, len(messages), 200-len(messages))
	}
	state, _ := s.State(t.Context(), 0)
	for _, most := range []int{1, 10, 200, 300} {
		b, err := s.Recent(t.Context(), 0, state, most)
		want := messages
		if most <= 200 { // the first event is the bound
			first := log.events[0][200-most].ID
			want = slices.DeleteFunc(slices.Clone(messages), func(m Message) bool { return m.ID.Compare(first) <= 0 })
			if b.After != first.Pos {
				t.Errorf("the %d most recent are complete after %v; want %v", most, b.After, first.Pos)
			}
		}
		if err != nil || b.Through != state.Head || len(b.Events) != len(want) {
			t.Errorf("the %d most recent are %d through %v, %v; want %d through %v", most, len(b.Events), b.Through, err, len(want), state.Head)
		}
	}
}

func TestSince(t *testing.T) {
	log, messages := mixed()
	s := NewService(log, Options{})
	var got []Message
	at := Pos{}
	for {
		found, through, err := s.Since(t.Context(), Guest, TopicSet{Names: []string{"topic1"}}, 0, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		if through == at {
			break
		}
		got, at = append(got, found...), through
	}
	want := slices.DeleteFunc(slices.Clone(messages), func(m Message) bool { return m.Topic != "topic1" })
	if !slices.Equal(got, want) {
		t.Errorf("%d messages of a topic; want %d", len(got), len(want))
	}
	log.floor = Pos{Ms: 50}
	if _, _, err := s.Since(t.Context(), Guest, AllTopics, 0, Pos{Ms: 49}, 10); !errors.Is(err, ErrOvertaken) {
		t.Errorf("from before the floor: %v; want %v", err, ErrOvertaken)
	}
	if _, _, err := s.Since(t.Context(), Guest, AllTopics, 0, log.floor, 10); err != nil {
		t.Errorf("from the floor: %v", err)
	}
	log.err = errAway
	if _, _, err := s.Since(t.Context(), Guest, AllTopics, 0, log.floor, 10); AsError(err).Code != CodeUnavailable {
		t.Errorf("without the log: %v", err)
	}
}

// TestAKeyOfAnotherPerson: nobody is answered with somebody else's message.
func TestAKeyOfAnotherPerson(t *testing.T) {
	service(t, 3, func(t *testing.T, s *Service, _ *fakeLog) {
		ann := keyed("k")
		first, _, err := s.Post(t.Context(), Guest, ann)
		if err != nil {
			t.Fatal(err)
		}
		bob, elsewhere := ann, ann
		bob.Email, elsewhere.Topic = "bob@example.org", "elsewhere"
		for _, d := range []Draft{bob, elsewhere} {
			m, duplicate, err := s.Post(t.Context(), Guest, d)
			if err != nil || duplicate || m.ID == first.ID || m.Email != d.Email || m.Topic != d.Topic {
				t.Errorf("%+v: %+v, %v, %v; want a message of its own", d, m, duplicate, err)
			}
		}
	})
}

func TestCloseHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog(1)
		log.gate = func(ctx context.Context, _ int, _ []Event) error { <-ctx.Done(); return context.Cause(ctx) }
		s := NewService(log, Options{AppendTimeout: time.Hour})
		s.Start()
		unavailable := 0
		for i := range 2 * MaxBatch { // one batch under way, others waiting
			s.PostFunc(Guest, keyed(fmt.Sprint("k", i)), func(_ Message, _ bool, err error) {
				if AsError(err).Code == CodeUnavailable {
					unavailable++
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Close(ctx); err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("Close: %v after %v; want nil after 3s", err, time.Since(began))
		}
		if unavailable != 2*MaxBatch {
			t.Errorf("%d of %d posts were answered unavailable", unavailable, 2*MaxBatch)
		}
	})
}

// TestCloseDoesNotWaitForALogThatHangs: not even one that does not mind its
// context.
func TestCloseDoesNotWaitForALogThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog(1)
		hang := make(chan struct{})
		log.gate = func(context.Context, int, []Event) error { <-hang; return errAway }
		s := NewService(log, Options{AppendTimeout: time.Hour})
		s.Start()
		s.PostFunc(Guest, keyed("k"), func(Message, bool, error) {})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second+closeGrace {
			t.Errorf("Close: %v after %v; want its deadline, and %v", err, time.Since(began), closeGrace)
		}
		close(hang)
		synctest.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestConstructorStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog(2)
		s := NewService(log, Options{AppendTimeout: testTimeout})
		answered := 0
		done := func(_ Message, _ bool, err error) {
			answered++
			if AsError(err).Code != CodeUnavailable {
				t.Errorf("a post before Start, and then Close: %v", err)
			}
		}
		s.PostFunc(Guest, keyed("k"), done)
		synctest.Wait()
		if len(log.batches) != 0 || answered != 0 {
			t.Error("something was appended before Start")
		}
		if err := s.Close(t.Context()); err != nil || answered != 1 {
			t.Errorf("Close: %v, %d answered", err, answered)
		}
	})
}
