package localstore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o storetest.Options) *storetest.Log {
		dir := t.TempDir()
		var skew atomic.Int64 // nanoseconds
		var file *Store       // the one that was opened last
		return &storetest.Log{
			Open: func(t testing.TB) storetest.Store {
				s, err := Open(Options{Dir: dir, Retention: o.Retention, Now: func() time.Time {
					return time.Now().Add(time.Duration(skew.Load()))
				}})
				if err != nil {
					t.Fatal(err)
				}
				file = s
				return s
			},
			Advance: func(d time.Duration) { skew.Add(int64(d)) },
			Rewrite: func(t testing.TB, at chat.ID, edit func(string) string) {
				rewrite(t, file, at, func(topic, record []byte) []byte {
					return append(append(bytes.Clone(topic), 0), edit(string(record))...)
				})
			},
			Damages: []storetest.Damage{
				{Name: "an empty value", Do: func(t testing.TB, at chat.ID) {
					rewrite(t, file, at, func(_, _ []byte) []byte { return nil })
				}},
				{Name: "no topic", Do: func(t testing.TB, at chat.ID) {
					rewrite(t, file, at, func(_, record []byte) []byte { return bytes.ReplaceAll(record, []byte{0}, []byte{1}) })
				}},
				{Name: "no record", Do: func(t testing.TB, at chat.ID) {
					rewrite(t, file, at, func(topic, _ []byte) []byte { return append(bytes.Clone(topic), 0) })
				}},
				{Name: "a record cut off", Do: func(t testing.TB, at chat.ID) {
					rewrite(t, file, at, func(topic, record []byte) []byte {
						return append(append(bytes.Clone(topic), 0), record[:len(record)-1]...)
					})
				}},
				{Name: "a record of zeroes", Do: func(t testing.TB, at chat.ID) {
					rewrite(t, file, at, func(topic, record []byte) []byte {
						return append(append(bytes.Clone(topic), 0), make([]byte, len(record))...)
					})
				}},
			},
		}
	})
}

// rewrite changes the value of an event in the file of an open store.
func rewrite(t testing.TB, s *Store, at chat.ID, edit func(topic, record []byte) []byte) {
	t.Helper()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		log := tx.Bucket(bucketLog)
		return log.Put(posKey(at.Pos), edit(split(log.Get(posKey(at.Pos)))))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("second Open: %v; want a refusal that says why", err)
	}
}

func TestClockSetBack(t *testing.T) {
	var now atomic.Int64
	now.Store(1_800_000_000_000)
	s, err := Open(Options{Dir: t.TempDir(), Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var last chat.ID
	for i := range 5 {
		got, err := s.Append(t.Context(), 0, []chat.Event{chat.NewEvent(chat.Draft{Key: fmt.Sprint(i), Topic: "tea"})})
		if err != nil {
			t.Fatal(err)
		}
		if got[0].ID.Compare(last) <= 0 {
			t.Errorf("append %d got %v, not after %v", i, got[0].ID, last)
		}
		last = got[0].ID
		now.Add(-time.Hour.Milliseconds())
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 16, chat.MaxBatch} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			events := make([]chat.Event, size)
			random := rand.New(rand.NewPCG(1, 2)) // keys without an order, as UUIDs are
			for b.Loop() {
				for i := range events {
					events[i] = chat.NewEvent(chat.Draft{Key: fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()), Topic: "tea", Name: "Ann", Email: "ann@example.org", Content: strings.Repeat("x", 200)})
				}
				if _, err := s.Append(b.Context(), 0, events); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
