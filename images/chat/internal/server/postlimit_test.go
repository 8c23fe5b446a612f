package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestPostLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostLimits(20, 40)
		for i := range 40 {
			if wait := p.take("ann"); wait != 0 {
				t.Fatalf("post %d of the burst has to wait %v", i, wait)
			}
		}
		if wait := p.take("ann"); wait != 50*time.Millisecond {
			t.Errorf("after the burst: %v; want 50ms", wait)
		}
		if wait := p.take("bob"); wait != 0 {
			t.Errorf("somebody else: %v", wait)
		}
		time.Sleep(50 * time.Millisecond)
		if wait := p.take("ann"); wait != 0 {
			t.Errorf("after the wait: %v", wait)
		}
	})
}

// TestPostLimitsForget floods the limits with names: memory stays bounded, and
// whoever is being limited stays so while others can be forgotten.
func TestPostLimitsForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostLimits(1, 2)
		for i := range maxSenders - 1 {
			p.take(fmt.Sprint("sender", i))
		}
		time.Sleep(5 * time.Second) // they have their bursts again
		p.take("ann")
		p.take("ann")
		p.take("one more")
		if n := len(p.senders); n != 2 {
			t.Errorf("%d senders are remembered; want ann and one more", n)
		}
		if p.take("ann") == 0 {
			t.Error("ann is no longer limited")
		}
		for i := range 3 * maxSenders { // none of them has its burst again
			p.take(fmt.Sprint("flood", i))
		}
		if n := len(p.senders); n > maxSenders {
			t.Errorf("%d senders are remembered; want at most %d", n, maxSenders)
		}
	})
}

func TestNoPostLimit(t *testing.T) {
	p := newPostLimits(0, 1)
	for range 1000 {
		if p.take("ann") != 0 {
			t.Fatal("limited")
		}
	}
}
