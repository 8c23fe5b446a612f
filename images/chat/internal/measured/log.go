// Package measured puts metrics around the log, so that neither a store nor
// those who use it have to count.
package measured

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"chatapp/chat/internal/chat"
)

// Log is a chat.Log that counts appends and times what posters wait for.
type Log struct {
	chat.Log
	seconds  prometheus.Histogram
	batch    prometheus.Histogram
	failures *prometheus.CounterVec
}

// NewLog wraps a log and registers the metrics with r.
func NewLog(log chat.Log, r prometheus.Registerer) *Log {
	f := promauto.With(r)
	return &Log{
		Log: log,
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "chat_append_seconds", Help: "How long an append took until it was durable.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16),
		}),
		batch: f.NewHistogram(prometheus.HistogramOpts{
			Name: "chat_append_batch", Help: "Events grouped in one append.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chat_log_failures_total", Help: "Calls of the log that failed, by call.",
		}, []string{"call"}),
	}
}

// Append implements chat.Log.
func (l *Log) Append(ctx context.Context, part int, events []chat.Event) ([]chat.Appended, error) {
	start := time.Now()
	results, err := l.Log.Append(ctx, part, events)
	l.seconds.Observe(time.Since(start).Seconds())
	l.batch.Observe(float64(len(events)))
	l.count("append", err)
	return results, err
}

// Before implements chat.Log.
func (l *Log) Before(ctx context.Context, part int, topic string, before chat.Pos, max int) ([]chat.Event, error) {
	found, err := l.Log.Before(ctx, part, topic, before, max)
	l.count("before", err)
	return found, err
}

// State implements chat.Log.
func (l *Log) State(ctx context.Context, part int) (chat.State, error) {
	state, err := l.Log.State(ctx, part)
	l.count("state", err)
	return state, err
}

func (l *Log) count(call string, err error) {
	if err != nil {
		l.failures.WithLabelValues(call).Inc()
	}
}
