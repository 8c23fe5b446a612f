package ranges

import (
	"math/rand/v2"
	"testing"
)

// TestAgainstMap holds every operation against a plain set.
func TestAgainstMap(t *testing.T) {
	const span = 24
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 3000 {
		var a, b Set
		in, other := map[int]bool{}, map[int]bool{}
		for range rng.IntN(12) {
			low := rng.IntN(span)
			high := low + rng.IntN(5)
			switch rng.IntN(3) {
			case 0:
				a.Add(low, high)
				for v := low; v < high; v++ {
					in[v] = true
				}
			case 1:
				a.Remove(low, high)
				for v := low; v < high; v++ {
					delete(in, v)
				}
			default:
				if a.Push(low) == in[low] {
					t.Fatalf("round %d: Push(%d)", round, low)
				}
				in[low] = true
			}
			b.Add(high, high+2)
			other[high], other[high+1] = true, true
		}
		low, high := rng.IntN(span), rng.IntN(span)
		minus, common, within := a.Minus(b), a.Common(b), a.Within(low, high)
		n := 0
		for v := range span + 8 {
			if in[v] {
				n++
			}
			for what, got := range map[string][2]bool{
				"has":    {a.Has(v), in[v]},
				"minus":  {minus.Has(v), in[v] && !other[v]},
				"common": {common.Has(v), in[v] && other[v]},
				"within": {within.Has(v), in[v] && low <= v && v < high},
			} {
				if got[0] != got[1] {
					t.Fatalf("round %d: %s %d is %t: %v %v", round, what, v, got[0], a, b)
				}
			}
		}
		if a.Len() != n || a.Empty() != (n == 0) {
			t.Fatalf("round %d: length %d, want %d", round, a.Len(), n)
		}
		for i := 1; i < len(a.edges); i++ {
			if a.edges[i-1] >= a.edges[i] {
				t.Fatalf("round %d: edges %v do not increase", round, a.edges)
			}
		}
	}
}
