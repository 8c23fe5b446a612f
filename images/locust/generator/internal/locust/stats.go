package locust

import (
	"crypto/sha256"
	"fmt"
	"math"
	"sync"
	"time"

	"chatapp/generator/internal/timing"
)

// entry is one line of Locust's statistics, since the last report.
type entry struct {
	Name           string          `msgpack:"name"`
	Method         string          `msgpack:"method"`
	Last           *float64        `msgpack:"last_request_timestamp"`
	Start          float64         `msgpack:"start_time"`
	Requests       int             `msgpack:"num_requests"`
	None           int             `msgpack:"num_none_requests"`
	Failures       int             `msgpack:"num_failures"`
	Total          float64         `msgpack:"total_response_time"`
	Max            float64         `msgpack:"max_response_time"`
	Min            *float64        `msgpack:"min_response_time"`
	Length         int             `msgpack:"total_content_length"`
	Times          map[float64]int `msgpack:"response_times"`
	PerSecond      map[int64]int   `msgpack:"num_reqs_per_sec"`
	FailsPerSecond map[int64]int   `msgpack:"num_fail_per_sec"`
}

// failure is one line of Locust's failure table, since the last report.
type failure struct {
	Name        string  `msgpack:"name"`
	Method      string  `msgpack:"method"`
	Error       string  `msgpack:"error"`
	Occurrences int     `msgpack:"occurrences"`
	First       float64 `msgpack:"first_seen"`
	Last        float64 `msgpack:"last_seen"`
}

// Stats are this worker's share of Locust's own tables. Safe for concurrent
// use.
type Stats struct {
	mu       sync.Mutex
	entries  map[[2]string]*entry
	total    *entry
	failures map[string]*failure
}

// NewStats are empty ones.
func NewStats() *Stats {
	s := &Stats{}
	s.reset()
	return s
}

func (s *Stats) reset() {
	s.entries, s.failures = map[[2]string]*entry{}, map[string]*failure{}
	s.total = newEntry("", "Aggregated")
}

func newEntry(method, name string) *entry {
	return &entry{
		Name: name, Method: method, Start: seconds(time.Now()),
		Times: map[float64]int{}, PerSecond: map[int64]int{}, FailsPerSecond: map[int64]int{},
	}
}

func (s *Stats) entry(method, name string) *entry {
	key := [2]string{method, name}
	if s.entries[key] == nil {
		s.entries[key] = newEntry(method, name)
	}
	return s.entries[key]
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// Rows adds a histogram to a row, bucket by bucket; requests says whether it
// counts in Locust's total, and so in its charts.
func (s *Stats) Rows(method, name string, h *timing.Histogram, requests bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	at := seconds(now)
	entries := []*entry{s.entry(method, name)}
	if requests {
		entries = append(entries, s.total)
	}
	for _, e := range entries {
		e.Requests += h.Count
		e.PerSecond[now.Unix()] += h.Count
		e.Last = &at
		e.Total += float64(h.Total) / 1000
		low := float64(h.Low()) / 1000
		if e.Min == nil || low < *e.Min {
			e.Min = &low
		}
		e.Max = max(e.Max, float64(h.High)/1000)
		h.Each(func(middle float64, times int) { e.Times[fine(middle/1000)] += times })
	}
}

// fine rounds a time to three significant digits, as chatload.tables.fine_bucket
// does.
func fine(ms float64) float64 {
	if ms <= 0 {
		return 0
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(ms)))
	return math.RoundToEven(ms*scale) / scale
}

// Request adds one request of took, of length bytes.
func (s *Stats) Request(method, name string, took time.Duration, length int) {
	var h timing.Histogram
	h.Record(took.Microseconds())
	s.Rows(method, name, &h, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entry(method, name).Length += length
	s.total.Length += length
}

// Failure adds one failed request without a time.
func (s *Stats) Failure(method, name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	at := seconds(now)
	for _, e := range []*entry{s.entry(method, name), s.total} {
		e.Requests++
		e.None++
		e.Failures++
		e.Last = &at
		e.PerSecond[now.Unix()]++
		e.FailsPerSecond[now.Unix()]++
	}
	// The form of the text is that of Python's repr, as from a Python worker.
	text = fmt.Sprintf("RuntimeError(%s)", quoted(text))
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(method+"."+name+"."+text)))
	f := s.failures[key]
	if f == nil {
		f = &failure{Name: name, Method: method, Error: text, First: at}
		s.failures[key] = f
	}
	f.Occurrences++
	f.Last = at
}

func quoted(text string) string { return "'" + text + "'" }

// clear forgets everything: a run begins.
func (s *Stats) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset()
}

// report takes what happened since the last report.
func (s *Stats) report() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]*entry, 0, len(s.entries))
	for _, e := range s.entries {
		entries = append(entries, e)
	}
	out := map[string]any{"stats": entries, "stats_total": s.total, "errors": s.failures}
	s.reset()
	return out
}
