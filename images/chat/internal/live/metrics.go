package live

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"chatapp/chat/internal/wire"
)

// Metrics of the sessions and the feed. Labels are of few values: never a
// topic, a name or an address.
type Metrics struct {
	connections prometheus.Gauge
	online      prometheus.Gauge
	refused     prometheus.Counter
	closes      *prometheus.CounterVec
	slow        prometheus.Counter
	moved       prometheus.Counter
	badFrames   prometheus.Counter
	postResults *prometheus.CounterVec
	deliveries  prometheus.Counter
	frames      prometheus.Counter

	tailLag        prometheus.Histogram
	tailErrors     prometheus.Counter
	resets         prometheus.Counter
	presenceErrors prometheus.Counter
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	return &Metrics{
		connections: gauge("chat_connections", "WebSocket connections of this server now."),
		online:      gauge("chat_online", "People connected over all servers, as last shown to clients."),
		refused:     counter("chat_connections_refused_total", "Connections refused at the limit or while draining."),
		closes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chat_closes_total", Help: "Connections closed by this server, by close code.",
		}, []string{"code"}),
		moved:     counter("chat_moved_total", "Sessions asked to connect again because other servers have fewer."),
		slow:      counter("chat_slow_readers_total", "Sessions closed because their queue was full."),
		badFrames: counter("chat_bad_frames_total", "Frames from clients that could not be read."),
		postResults: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chat_posts_total", Help: "Posts over WebSocket and HTTP by result: stored, repeated, or the code of the error.",
		}, []string{"result"}),
		deliveries: counter("chat_deliveries_total", "Messages queued for sessions as they came from the log."),
		frames:     counter("chat_message_frames_total", "Frames with live messages written; deliveries per frame is what joining gains."),
		tailLag: f.NewHistogram(prometheus.HistogramOpts{
			Name: "chat_tail_lag_seconds", Help: "From the log's stamp on a message to this server's reading it, clocks' difference included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		tailErrors:     counter("chat_tail_errors_total", "Failed reads of the log's tail."),
		resets:         counter("chat_log_resets_total", "Times the log turned out to be another: emptied, or without its tail."),
		presenceErrors: counter("chat_presence_errors_total", "Failed exchanges of the number online."),
	}
}

func (m *Metrics) closed(code wire.CloseCode) {
	m.closes.WithLabelValues(strconv.Itoa(int(code))).Inc()
}

func (m *Metrics) posts(result string) { m.postResults.WithLabelValues(result).Inc() }

func (m *Metrics) posted(duplicate bool) {
	if duplicate {
		m.posts("repeated")
	} else {
		m.posts("stored")
	}
}

// Posted counts a post that came over HTTP; code is empty unless it failed.
func (m *Metrics) Posted(duplicate bool, code string) {
	if code != "" {
		m.posts(code)
		return
	}
	m.posted(duplicate)
}
