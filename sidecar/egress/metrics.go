package egress

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What became of a request, where the upstream did not answer it. Otherwise it is the class of
// the answer's status: 2xx.
const (
	resultForeign     = "foreign"     // refused: not the app's own
	resultNoToken     = "no_token"    // no token could be had
	resultTimeout     = "timeout"     // the upstream did not answer
	resultUnreachable = "unreachable" // the upstream could not be called
	resultCancelled   = "cancelled"   // the app went away
)

// metrics count requests. The upstreams are those of the pod's settings; nothing that a request
// says becomes a label.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	retries  *prometheus.CounterVec
	inFlight *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lanyard_sidecar_upstream_requests_total",
			Help: "Calls of the app by upstream and result: the class of the upstream's answer (2xx), or foreign, no_token, timeout, unreachable, cancelled.",
		}, []string{"upstream", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "lanyard_sidecar_upstream_request_duration_seconds",
			Help:    "Time from the end of a call's headers to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"upstream"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lanyard_sidecar_upstream_retries_total",
			Help: "Calls that were sent a second time with another token, because the upstream refused the first with invalid_token.",
		}, []string{"upstream"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lanyard_sidecar_upstream_requests_in_flight",
			Help: "Calls that are being passed on.",
		}, []string{"upstream"}),
	}
	if r != nil {
		r.MustRegister(m.requests, m.duration, m.retries, m.inFlight)
	}
	return m
}

// observation is one request's.
type observation struct {
	*metrics

	upstream string
	began    time.Time
	result   string
}

func (m *metrics) begin(upstream string, now time.Time) *observation {
	m.inFlight.WithLabelValues(upstream).Inc()
	// An answer that breaks off before it began is the app's going away.
	return &observation{metrics: m, upstream: upstream, began: now, result: resultCancelled}
}

func (o *observation) end(now time.Time) {
	o.inFlight.WithLabelValues(o.upstream).Dec()
	o.requests.WithLabelValues(o.upstream, o.result).Inc()
	o.duration.WithLabelValues(o.upstream).Observe(now.Sub(o.began).Seconds())
}

func (m *metrics) retried(upstream string) { m.retries.WithLabelValues(upstream).Inc() }

// classOf is the class of a status: 2xx.
func classOf(status int) string {
	return strconv.Itoa(status/100) + "xx"
}
