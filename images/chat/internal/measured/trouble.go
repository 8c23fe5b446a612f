package measured

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"chatapp/chat/internal/trouble"
)

// NewFailures registers with r the metric of failed accesses to a store, and
// gives the function that counts them.
func NewFailures(r prometheus.Registerer) func(access trouble.Access, cause string) {
	counts := promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: "chat_store_failures_total",
		Help: "Accesses to the store that failed, by access (reads, writes) and cause (NETWORK, OOM, MISCONF …). Those tried again count each time.",
	}, []string{"access", "cause"})
	return func(access trouble.Access, cause string) { counts.WithLabelValues(string(access), cause).Inc() }
}
