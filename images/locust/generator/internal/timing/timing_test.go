package timing

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBucketsHoldTheirValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		v := rng.Int64N(1 << rng.IntN(37))
		low, high := bounds(bucket(v))
		if v < low || v >= high || high-low > 1 && float64(high-low) > float64(low)/100 {
			t.Fatalf("%d is in [%d, %d)", v, low, high)
		}
	}
}

// The figures are those of chatload.timing for the same values.
func TestPackedAndPercentiles(t *testing.T) {
	var h Histogram
	if h.Low() != -1 || h.Percentile(99) != 0 {
		t.Error("not empty")
	}
	for _, v := range []int64{-3, 5, 5, 127, 128, 300, 100_000} {
		h.Record(v)
	}
	want := []int64{0, 100_000, 100_565, 0, 1, 5, 2, 127, 1, 128, 1, 278, 1, 1347, 1}
	if got := h.Packed(); !slices.Equal(got, want) {
		t.Errorf("packed as %v, want %v", got, want)
	}
	for percent, want := range map[float64]float64{50: 127, 80: 300.5, 99: 100_000} {
		if got := h.Percentile(percent); got != want {
			t.Errorf("p%g is %g, want %g", percent, got, want)
		}
	}
}
