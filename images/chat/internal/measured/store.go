// Package measured puts metrics around a store, so that neither the store nor
// those who use it have to count.
package measured

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"chatapp/chat/internal/chat"
)

// Store is a chat.Store that counts appends and times what posters wait for.
type Store struct {
	chat.Store
	seconds  prometheus.Histogram
	batch    prometheus.Histogram
	failures *prometheus.CounterVec
}

// New wraps a store and registers the metrics with r.
func New(store chat.Store, r prometheus.Registerer) *Store {
	f := promauto.With(r)
	return &Store{
		Store: store,
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "chat_append_seconds", Help: "How long an append took until it was durable.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16),
		}),
		batch: f.NewHistogram(prometheus.HistogramOpts{
			Name: "chat_append_batch", Help: "Messages grouped in one append.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chat_log_failures_total", Help: "Calls of the log that failed, by call.",
		}, []string{"call"}),
	}
}

// Append implements chat.Store.
func (s *Store) Append(ctx context.Context, part int, drafts []chat.Draft) ([]chat.Appended, error) {
	start := time.Now()
	results, err := s.Store.Append(ctx, part, drafts)
	s.seconds.Observe(time.Since(start).Seconds())
	s.batch.Observe(float64(len(drafts)))
	s.count("append", err)
	return results, err
}

// Before implements chat.Store.
func (s *Store) Before(ctx context.Context, part int, topic string, before chat.Pos, max int) ([]chat.Message, error) {
	found, err := s.Store.Before(ctx, part, topic, before, max)
	s.count("before", err)
	return found, err
}

// State implements chat.Store.
func (s *Store) State(ctx context.Context, part int) (chat.State, error) {
	state, err := s.Store.State(ctx, part)
	s.count("state", err)
	return state, err
}

func (s *Store) count(call string, err error) {
	if err != nil {
		s.failures.WithLabelValues(call).Inc()
	}
}
