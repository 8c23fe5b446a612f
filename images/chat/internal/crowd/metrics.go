package crowd

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of the crowd.
type Metrics struct {
	online prometheus.Gauge
	moved  prometheus.Counter
	errors prometheus.Counter
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		online: f.NewGauge(prometheus.GaugeOpts{Name: "chat_online", Help: "People connected over all servers, as last shown to clients."}),
		moved:  f.NewCounter(prometheus.CounterOpts{Name: "chat_moved_total", Help: "Sessions asked to connect again because other servers have fewer."}),
		errors: f.NewCounter(prometheus.CounterOpts{Name: "chat_presence_errors_total", Help: "Failed exchanges of the number online."}),
	}
}
