package caroots

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	roots    prometheus.Gauge
	failures prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) metrics {
	with := promauto.With(registry)
	return metrics{
		roots: with.NewGauge(prometheus.GaugeOpts{
			Name: "lanyard_controller_ca_roots",
			Help: "Roots of the issuer's serving certificate that are handed out in ConfigMaps lanyard-ca, older ones included.",
		}),
		failures: with.NewCounter(prometheus.CounterOpts{
			Name: "lanyard_controller_ca_root_failures_total",
			Help: "Times that the file with the roots could not be read, or a ConfigMap lanyard-ca not be written.",
		}),
	}
}
