package egress

import (
	"strconv"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
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

// counts of requests. The upstreams are those of the pod's settings; nothing that a request
// says becomes a label.
type counts struct {
	requests, retries, inFlight *metrics.Values
	duration                    *metrics.Histogram
}

func newCounts(r *metrics.Registry) *counts {
	return &counts{
		requests: r.Counter("lanyard_sidecar_upstream_requests_total",
			"Calls of the app by upstream and result: the class of the upstream's answer (2xx), or foreign, no_token, timeout, unreachable, cancelled.", "upstream", "result"),
		duration: r.Histogram("lanyard_sidecar_upstream_request_duration_seconds", "Time from the end of a call's headers to the end of its answer.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "upstream"),
		retries: r.Counter("lanyard_sidecar_upstream_retries_total",
			"Calls that were sent a second time with another token, because the upstream refused the first with invalid_token.", "upstream"),
		inFlight: r.Gauge("lanyard_sidecar_upstream_requests_in_flight", "Calls that are being passed on.", "upstream"),
	}
}

// observation is one request's.
type observation struct {
	*counts

	upstream string
	began    time.Time
	result   string
}

func (c *counts) begin(upstream string, now time.Time) *observation {
	c.inFlight.Add(1, upstream)
	// An answer that breaks off before it began is the app's going away.
	return &observation{counts: c, upstream: upstream, began: now, result: resultCancelled}
}

func (o *observation) end(now time.Time) {
	o.inFlight.Add(-1, o.upstream)
	o.requests.Add(1, o.upstream, o.result)
	o.duration.Observe(now.Sub(o.began).Seconds(), o.upstream)
}

func (c *counts) retried(upstream string) { c.retries.Add(1, upstream) }

// classOf is the class of a status: 2xx.
func classOf(status int) string {
	return strconv.Itoa(status/100) + "xx"
}
