// Package timing has histograms with at most 1 % error, and a second of a run:
// the Go half of chatload/timing.py, bucket by bucket.
package timing

import (
	"math"
	"math/bits"
)

const (
	// perDoubling is log2 of the number of buckets per doubling; values below
	// exact have a bucket of their own.
	perDoubling = 7
	exact       = 1 << perDoubling
	// maxUS is the longest time kept, µs (a day); longer ones count as this.
	maxUS = 86_400_000_000
)

// bucket is the number of the bucket that holds v (µs, not negative).
func bucket(v int64) int {
	if v < exact {
		return int(v)
	}
	shift := bits.Len64(uint64(v)) - perDoubling - 1
	return shift<<perDoubling + int(v>>shift)
}

// bounds is the half-open range of values that a bucket holds.
func bounds(index int) (low, high int64) {
	if index < 2*exact {
		return int64(index), int64(index) + 1
	}
	shift := index>>perDoubling - 1
	low = int64(index-shift<<perDoubling) << shift
	return low, low + 1<<shift
}

// Histogram counts times by bucket, with exact count, sum, least and greatest.
// The zero value is empty. Not for concurrent use.
type Histogram struct {
	counts    []int
	Count     int
	Total     int64
	low, High int64
}

// Record counts a time of v µs; a negative one (clock error) counts as 0.
func (h *Histogram) Record(v int64) {
	v = min(max(v, 0), maxUS)
	index := bucket(v)
	if index >= len(h.counts) {
		grown := make([]int, max(index+1, 2*len(h.counts), 4*exact))
		copy(grown, h.counts)
		h.counts = grown
	}
	h.counts[index]++
	if h.Count == 0 || v < h.low {
		h.low = v
	}
	h.Count++
	h.Total += v
	h.High = max(h.High, v)
}

// Low is the least value, -1 while there is none.
func (h *Histogram) Low() int64 {
	if h.Count == 0 {
		return -1
	}
	return h.low
}

// Percentile is the time, µs, that at least percent % of the values did not
// exceed; 0 when empty.
func (h *Histogram) Percentile(percent float64) float64 {
	if h.Count == 0 {
		return 0
	}
	wanted := max(1, int(math.Ceil(float64(h.Count)*percent/100)))
	if wanted >= h.Count {
		return float64(h.High)
	}
	seen := 0
	for index, times := range h.counts {
		if seen += times; seen >= wanted {
			low, high := bounds(index)
			return min(max(float64(low+high-1)/2, float64(h.low)), float64(h.High))
		}
	}
	return float64(h.High)
}

// Each calls f with the middle of each bucket that was hit, µs, and how often.
func (h *Histogram) Each(f func(middle float64, times int)) {
	for index, times := range h.counts {
		if times > 0 {
			low, high := bounds(index)
			f(float64(low+high)/2, times)
		}
	}
}

// Packed is the form that travels to the master.
func (h *Histogram) Packed() []int64 {
	flat := []int64{h.Low(), h.High, h.Total}
	for index, times := range h.counts {
		if times > 0 {
			flat = append(flat, int64(index), int64(times))
		}
	}
	return flat
}

// Slot is what happened in a second of a run: a histogram per row, counters
// (which add up) and gauges (which are). Not for concurrent use.
type Slot struct {
	Rows     map[string]*Histogram
	Counters map[string]int
	Gauges   map[string]float64
}

// NewSlot is an empty one.
func NewSlot() *Slot {
	return &Slot{map[string]*Histogram{}, map[string]int{}, map[string]float64{}}
}

// Row is the histogram of a row, made when first asked for.
func (s *Slot) Row(name string) *Histogram {
	h := s.Rows[name]
	if h == nil {
		h = &Histogram{}
		s.Rows[name] = h
	}
	return h
}

// Packed is the form that travels to the master; rename tells each row's name
// there.
func (s *Slot) Packed(rename func(string) string) map[string]any {
	rows := map[string][]int64{}
	for name, h := range s.Rows {
		rows[rename(name)] = h.Packed()
	}
	return map[string]any{"rows": rows, "counters": s.Counters, "gauges": s.Gauges}
}
