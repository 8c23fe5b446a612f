package load

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/generator/internal/locust"
)

// TestANewRateIsNoticedAtOnce: the posts of the time until then would all be
// late.
func TestANewRateIsNoticedAtOnce(t *testing.T) {
	w := aWorker(t, false)
	synctest.Test(t, func(t *testing.T) {
		p := newPosting(w, "seed")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p.pause(ctx, time.Hour) || p.pause(ctx, 0) {
			t.Error("it went on after the end")
		}
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			p.setRate(1)
			p.setRate(2) // told once is told
		}()
		if !p.pause(t.Context(), time.Hour) || time.Since(began) != time.Second {
			t.Errorf("paused for %v", time.Since(began))
		}
	})
}

// TestAFewArrivalsMayComeWithoutAStamp: the very first comes before the kernel
// has begun to stamp. It put a whole run back to the gates of one without.
func TestAFewArrivalsMayComeWithoutAStamp(t *testing.T) {
	for _, c := range []struct {
		arrivals, unstamped int
		holds               bool
	}{
		{0, 0, true}, {1, 1, true}, {2, 2, false}, {999, 2, false}, {1000, 2, true}, {1000, 3, false}, {50_000, 51, true}, {50_000, 52, false},
	} {
		if v := (&vitals{arrivals: c.arrivals, unstamped: c.unstamped}); v.stampsHold() != c.holds {
			t.Errorf("%d of %d without a stamp: holds %v", c.unstamped, c.arrivals, !c.holds)
		}
	}
	for _, probing := range []bool{true, false} {
		if w := aWorker(t, probing); w.stamping() != probing {
			t.Errorf("probing %v: stamping %v", probing, w.stamping())
		}
	}
}

// aWorker is a load process whose master is not there.
func aWorker(t *testing.T, probing bool) *Worker {
	runner, err := locust.NewRunner("127.0.0.1", "1", "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return New(runner, probing, slog.New(slog.DiscardHandler))
}
