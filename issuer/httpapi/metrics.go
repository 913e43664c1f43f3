package httpapi

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests. Every label takes its values from a closed set: nothing
// that a caller writes becomes one.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	inFlight prometheus.Gauge
}

func newMetrics(r prometheus.Registerer, sizes func() map[string]int) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lanyard_issuer_requests_total",
			Help: "Requests by endpoint, by the method that the client authenticated with (none: it did not), and by outcome: ok or the OAuth error code.",
		}, []string{"endpoint", "method", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "lanyard_issuer_request_duration_seconds",
			Help:    "Time from the end of a request's headers to the end of its answer.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"endpoint"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lanyard_issuer_refusals_total",
			Help: "Refusals by reason: a fixed word, or the number of the error where that says it all.",
		}, []string{"reason"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lanyard_issuer_requests_in_flight",
			Help: "Requests that are being served.",
		}),
	}
	r.MustRegister(m.requests, m.duration, m.refusals, m.inFlight)
	if sizes != nil {
		r.MustRegister(&registrySize{sizes: sizes, desc: prometheus.NewDesc(
			"lanyard_issuer_registry_objects", "Objects that the issuer knows, by kind.", []string{"kind"}, nil)})
	}
	return m
}

func (m *metrics) observe(x *exchange, took time.Duration) {
	method := string(x.event.Method)
	if method == "" {
		method = "none"
	}
	m.requests.WithLabelValues(x.endpoint, method, x.outcome()).Inc()
	m.duration.WithLabelValues(x.endpoint).Observe(took.Seconds())
	if e := x.refusal; e != nil {
		reason := e.Reason
		if reason == "" {
			reason = strconv.Itoa(int(e.Number))
		}
		m.refusals.WithLabelValues(reason).Inc()
	}
}

// registrySize reads the sizes when it is asked.
type registrySize struct {
	sizes func() map[string]int
	desc  *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (s *registrySize) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }

// Collect implements prometheus.Collector.
func (s *registrySize) Collect(ch chan<- prometheus.Metric) {
	for kind, n := range s.sizes() {
		ch <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, float64(n), kind)
	}
}
