package live

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"chatapp/chat/internal/crowd"
	"chatapp/chat/internal/feed"
	"chatapp/chat/internal/wire"
)

// Metrics of the sessions, and of the feed and the crowd that serve them.
// Labels are of few values: never a topic, a name or an address.
type Metrics struct {
	connections prometheus.Gauge
	refused     prometheus.Counter
	closes      *prometheus.CounterVec
	slow        prometheus.Counter
	badFrames   prometheus.Counter
	postResults *prometheus.CounterVec
	said        *prometheus.CounterVec
	dropped     prometheus.Counter
	frames      prometheus.Counter

	feed  *feed.Metrics
	crowd *crowd.Metrics
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
		refused:     counter("chat_connections_refused_total", "Connections refused at the limit or while draining."),
		closes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chat_closes_total", Help: "Connections closed by this server, by close code.",
		}, []string{"code"}),
		slow:      counter("chat_slow_readers_total", "Sessions closed because their queue was full."),
		badFrames: counter("chat_bad_frames_total", "Frames from clients that could not be read."),
		postResults: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chat_posts_total", Help: "Posts over WebSocket and HTTP by result: stored, repeated, or the code of the error.",
		}, []string{"result"}),
		said: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chat_said_total", Help: "Votes and ephemeral messages by kind and result: counted, sent, or the code of the error.",
		}, []string{"kind", "result"}),
		dropped: counter("chat_ephemerals_dropped_total", "Frames with ephemeral messages dropped for slow readers."),
		frames:  counter("chat_message_frames_total", "Frames with live messages written; deliveries per frame is what joining gains."),
		feed:    feed.NewMetrics(r),
		crowd:   crowd.NewMetrics(r),
	}
}

func (m *Metrics) closed(code wire.CloseCode) {
	m.closes.WithLabelValues(strconv.Itoa(int(code))).Inc()
}

func (m *Metrics) posts(result string) { m.postResults.WithLabelValues(result).Inc() }

func (m *Metrics) votes(result string) { m.said.WithLabelValues("vote", result).Inc() }

func (m *Metrics) ephemerals(result string) { m.said.WithLabelValues("ephemeral", result).Inc() }

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
