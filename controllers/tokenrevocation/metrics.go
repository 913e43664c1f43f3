package tokenrevocation

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	removed, failures prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) metrics {
	with := promauto.With(registry)
	return metrics{
		removed: with.NewCounter(prometheus.CounterOpts{
			Name: "lanyard_controller_token_revocations_removed_total",
			Help: "TokenRevocations that were removed because their tokens have ended.",
		}),
		failures: with.NewCounter(prometheus.CounterOpts{
			Name: "lanyard_controller_token_revocation_failures_total",
			Help: "Times that a TokenRevocation could not be removed.",
		}),
	}
}
