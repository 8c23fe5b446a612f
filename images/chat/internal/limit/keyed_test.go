package limit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewKeyed(Rate{PerSecond: 20, Burst: 40})
		for i := range 40 {
			if wait := p.Take("ann"); wait != 0 {
				t.Fatalf("post %d of the burst has to wait %v", i, wait)
			}
		}
		if wait := p.Take("ann"); wait != 50*time.Millisecond {
			t.Errorf("after the burst: %v; want 50ms", wait)
		}
		if wait := p.Take("bob"); wait != 0 {
			t.Errorf("somebody else: %v", wait)
		}
		time.Sleep(50 * time.Millisecond)
		if wait := p.Take("ann"); wait != 0 {
			t.Errorf("after the wait: %v", wait)
		}
	})
}

// TestKeyedForgets floods the limits with names: memory stays bounded, and
// whoever is being limited stays so while others can be forgotten.
func TestKeyedForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewKeyed(Rate{PerSecond: 1, Burst: 2})
		for i := range maxKeys - 1 {
			p.Take(fmt.Sprint("sender", i))
		}
		time.Sleep(5 * time.Second) // they have their bursts again
		p.Take("ann")
		p.Take("ann")
		p.Take("one more")
		if n := len(p.buckets); n != 2 {
			t.Errorf("%d senders are remembered; want ann and one more", n)
		}
		if p.Take("ann") == 0 {
			t.Error("ann is no longer limited")
		}
		for i := range 3 * maxKeys { // none of them has its burst again
			p.Take(fmt.Sprint("flood", i))
		}
		if n := len(p.buckets); n > maxKeys {
			t.Errorf("%d senders are remembered; want at most %d", n, maxKeys)
		}
	})
}

func TestNoLimit(t *testing.T) {
	p := NewKeyed(Rate{Burst: 1})
	for range 1000 {
		if p.Take("ann") != 0 {
			t.Fatal("limited")
		}
	}
}
