package kube

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what this package tells about itself.
type metrics struct {
	watchDelay  prometheus.Histogram
	propagation *prometheus.HistogramVec
	lookUps     *prometheus.CounterVec
	skipped     *prometheus.CounterVec
}

// The outcomes of a look-up on a miss.
const (
	lookUpFound   = "found"
	lookUpGone    = "gone"
	lookUpLimited = "limited"
	lookUpFailed  = "failed"
)

func newMetrics(r prometheus.Registerer, staleness func() time.Duration) *metrics {
	m := &metrics{
		watchDelay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "lanyard_issuer_watch_delay_seconds",
			Help: "Time from a renewal of the controller's Lease (spec.renewTime, microseconds) to its arrival here by watch: " +
				"how far behind the watches are, measured every few seconds. Includes the difference of the two clocks.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		propagation: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lanyard_issuer_propagation_seconds",
			Help: "Time from the last change of an object to its being in force here, for objects that arrive by watch. " +
				"The time of a change comes from managedFields, which knows whole seconds only: up to one second of every value is rounding.",
			Buckets: []float64{.25, .5, 1, 1.5, 2, 3, 5, 10, 30, 60},
		}, []string{"kind"}),
		lookUps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lanyard_issuer_lookups_total",
			Help: "Pods and service accounts that were not in the cache and were asked of the API server, by outcome.",
		}, []string{"kind", "outcome"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lanyard_issuer_unreadable_objects_total",
			Help: "Objects that could not be read and count as absent; the log names them.",
		}, []string{"kind"}),
	}
	r.MustRegister(m.watchDelay, m.propagation, m.lookUps, m.skipped, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lanyard_issuer_staleness_seconds",
		Help: "Time since the API server was last heard of, on the watch that is worst off. An idle watch is heard of every minute.",
	}, func() float64 { return staleness().Seconds() }))
	return m
}
