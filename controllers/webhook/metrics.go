package webhook

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// How an admission review ended.
const (
	outcomeAllowed = "allowed"
	outcomeChanged = "changed"
	outcomeWarned  = "warned"
	outcomeRefused = "refused"
	outcomeFailed  = "failed"
)

func newCounter(registry prometheus.Registerer) *prometheus.CounterVec {
	return promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
		Name: "lanyard_controller_admissions_total",
		Help: "Admission reviews that were answered, by webhook and outcome: allowed, changed, warned, refused, or failed (it could not tell).",
	}, []string{"webhook", "outcome"})
}

// counted counts how the reviews of a webhook end.
func counted(admissions *prometheus.CounterVec, name string, handle admission.HandlerFunc) admission.HandlerFunc {
	for _, outcome := range []string{outcomeAllowed, outcomeChanged, outcomeWarned, outcomeRefused, outcomeFailed} {
		admissions.WithLabelValues(name, outcome) // a rate needs a zero to begin with
	}
	return func(ctx context.Context, req admission.Request) admission.Response {
		response := handle(ctx, req)
		admissions.WithLabelValues(name, outcomeOf(response)).Inc()
		return response
	}
}

func outcomeOf(r admission.Response) string {
	switch {
	case !r.Allowed && r.Result.Code == http.StatusForbidden:
		return outcomeRefused
	case !r.Allowed:
		return outcomeFailed
	case len(r.Warnings) > 0:
		return outcomeWarned
	case len(r.Patch) > 0:
		return outcomeChanged
	default:
		return outcomeAllowed
	}
}
