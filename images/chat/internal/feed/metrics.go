package feed

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of the reading side.
type Metrics struct {
	deliveries prometheus.Counter
	updates    prometheus.Counter
	tailLag    prometheus.Histogram
	tailErrors prometheus.Counter
	resets     prometheus.Counter
	overtaken  prometheus.Counter
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &Metrics{
		deliveries: counter("chat_deliveries_total", "Messages queued for sessions as they came from the log."),
		updates:    counter("chat_updates_total", "Updates of messages' numbers queued for sessions."),
		tailLag: f.NewHistogram(prometheus.HistogramOpts{
			Name: "chat_tail_lag_seconds", Help: "From the log's stamp on a message to this server's reading it, clocks' difference included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		tailErrors: counter("chat_tail_errors_total", "Failed reads of the log's tail."),
		overtaken:  counter("chat_tail_overtaken_total", "Times retention removed messages before this server had read them."),
		resets:     counter("chat_log_resets_total", "Times the log turned out to be another: emptied, or without its tail."),
	}
}
