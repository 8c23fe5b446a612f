package load

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Options are the settings of a run that a worker needs: a part of those of
// chatload/options.py, under their names there; the master has checked them.
type Options struct {
	Topics        int     `msgpack:"topics"`
	TopicsPerUser int     `msgpack:"topics_per_user"`
	TopicSkew     float64 `msgpack:"topic_skew"`
	Rate          float64 `msgpack:"rate"`
	ThinkTime     float64 `msgpack:"think_time"`
	MessageSize   int     `msgpack:"message_size"`
	ChurnStay     float64 `msgpack:"churn_stay"`
	ChurnAway     float64 `msgpack:"churn_away"`
	SlowPause     float64 `msgpack:"slow_pause"`
	HistoryLimit  int     `msgpack:"history_limit"`
	ReadBackShare float64 `msgpack:"read_back_share"`
	VisitPage     bool    `msgpack:"visit_page"`
	Seed          int     `msgpack:"seed"`
	DrainTimeout  float64 `msgpack:"drain_timeout"`
	Probes        int     `msgpack:"probes"`
}

// drain is the most time to wait at each step of the end.
func (o *Options) drain() time.Duration { return duration(o.DrainTimeout) }

// duration of so many seconds.
func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// random is the sequence of random numbers that a name stands for: the same
// seed and settings give the same load.
func random(format string, args ...any) *rand.Rand {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
}

// chooseTopics are the numbers of one user's topics, by the skew: distinct, the
// hot ones likelier (Zipf).
func (o *Options) chooseTopics(rng *rand.Rand) []int {
	numbers := make([]int, o.Topics)
	for i := range numbers {
		numbers[i] = i
	}
	if o.TopicsPerUser >= o.Topics {
		return numbers
	}
	// Efraimidis–Spirakis: weighted sampling without replacement by the largest
	// keys.
	keys := make([]float64, o.Topics)
	for i := range keys {
		keys[i] = math.Pow(rng.Float64(), math.Pow(float64(i)+1, o.TopicSkew))
	}
	slices.SortFunc(numbers, func(a, b int) int {
		if keys[a] > keys[b] {
			return -1
		}
		return 1
	})
	return numbers[:o.TopicsPerUser]
}

// topicName is the name of a topic of a run.
func topicName(run string, number int) string { return fmt.Sprintf("load-%s-%d", run, number) }

// arrivals are Poisson arrivals: an open model, which does not wait for
// answers. Not for concurrent use.
type arrivals struct {
	rng  *rand.Rand
	rate float64
	// next is the next arrival; zero while the rate is 0.
	next time.Time
}

// setRate asks for another rate from now on. Poisson arrivals have no memory,
// so the next one is drawn anew.
func (a *arrivals) setRate(rate float64, now time.Time) {
	if rate == a.rate {
		return
	}
	a.rate, a.next = rate, time.Time{}
	if rate > 0 {
		a.next = a.after(now)
	}
}

func (a *arrivals) after(t time.Time) time.Time { return t.Add(duration(a.rng.ExpFloat64() / a.rate)) }

// due takes the arrivals that are due: their intended instants, ascending.
func (a *arrivals) due(now time.Time) []time.Time {
	var out []time.Time
	for !a.next.IsZero() && !a.next.After(now) {
		out = append(out, a.next)
		a.next = a.after(a.next)
	}
	return out
}
