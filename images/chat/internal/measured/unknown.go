package measured

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"chatapp/chat/internal/chat"
)

// Unknown counts and logs the events that readers step over. Its method
// SteppedOver is for chat.Options; it is safe for use by many goroutines.
type Unknown struct {
	total  *prometheus.CounterVec
	logger *slog.Logger

	mu      sync.Mutex
	kinds   map[chat.Kind]struct{} // logged
	damaged map[chat.ID]struct{}   // logged
}

// maxDamaged bounds how many damaged positions are logged one by one.
const maxDamaged = 1000

// NewUnknown registers the metric with r.
func NewUnknown(r prometheus.Registerer, logger *slog.Logger) *Unknown {
	return &Unknown{
		total: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "chat_unknown_events_total",
			Help: "Events of the log that were stepped over, each time one was read: by kind, of a later version; or damaged.",
		}, []string{"kind"}),
		logger: logger.With("component", "log"),
		kinds:  map[chat.Kind]struct{}{}, damaged: map[chat.ID]struct{}{},
	}
}

// SteppedOver counts an event, and logs it if it is the first of its kind, or
// the first at a damaged position.
func (u *Unknown) SteppedOver(e chat.Event) {
	u.total.WithLabelValues(e.Kind.String()).Inc()
	u.mu.Lock()
	defer u.mu.Unlock()
	if e.Kind == chat.KindDamaged {
		if _, known := u.damaged[e.ID]; known || len(u.damaged) >= maxDamaged {
			return
		}
		u.damaged[e.ID] = struct{}{}
		u.logger.Error("an event of the log is damaged, and is left out", "id", e.ID, "partition", e.ID.Part)
		return
	}
	if _, known := u.kinds[e.Kind]; known {
		return
	}
	u.kinds[e.Kind] = struct{}{}
	u.logger.Warn("the log holds events of a kind that this version does not know; they are left out: a later version writes to this log", "kind", e.Kind, "first", e.ID)
}
