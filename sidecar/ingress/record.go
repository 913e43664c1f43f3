package ingress

import (
	"log/slog"
	"net/http"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
)

// Who asked.
const (
	byForward     = "forward"
	byAuthRequest = "auth_request"
)

// counts of requests. Every label takes its values from a closed set.
type counts struct {
	requests, inFlight *metrics.Values
	duration           *metrics.Histogram
}

func newCounts(r *metrics.Registry) *counts {
	return &counts{
		requests: r.Counter("lanyard_ingress_requests_total",
			"Requests by way (forward, auth_request) and outcome: accepted, malformed, unauthenticated, forbidden, unavailable (the issuer's keys are not known), app_unreachable.", "by", "outcome"),
		duration: r.Histogram("lanyard_ingress_request_duration_seconds", "Time from the end of a request's headers to the end of its answer, the app's time included.",
			[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "by"),
		inFlight: r.Gauge("lanyard_ingress_requests_in_flight", "Requests that are being served."),
	}
}

// recorder remembers what became of a request.
type recorder struct {
	http.ResponseWriter

	id       string
	status   int // of the answer; 0: none was begun
	admitted *admitted
	cause    error  // for the log
	refuse   func() // called before an answer to a request that may not pass
}

// WriteHeader implements http.ResponseWriter. What comes before the answer (1xx) is none, but for
// the change of protocols.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		r.status = status
		if r.admitted == nil {
			r.refuse()
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find what the writer can do.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) outcome() string {
	switch {
	case r.admitted != nil && r.cause != nil:
		return "app_unreachable"
	case r.admitted != nil:
		return "accepted"
	case r.status == http.StatusUnauthorized:
		return "unauthenticated"
	case r.status == http.StatusForbidden:
		return "forbidden"
	case r.status == http.StatusServiceUnavailable:
		return "unavailable"
	default:
		return "malformed"
	}
}

// attributes are what is logged of the request. The path is not, but the rule's: paths hold what
// is nobody's business.
func (r *recorder) attributes() []slog.Attr {
	all := []slog.Attr{slog.String("outcome", r.outcome()), slog.Int("status", r.status), slog.String("request_id", r.id)}
	if r.admitted != nil {
		all = append(all, slog.String("rule", r.admitted.rule.Path))
		if t := r.admitted.token; t != nil {
			all = append(all, slog.String("client_id", t.ClientID), slog.String("jti", t.ID), slog.String("thumbprint", t.Thumbprint))
		}
	}
	if r.cause != nil {
		all = append(all, slog.String("error", r.cause.Error()))
	}
	return all
}
