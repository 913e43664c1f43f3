package webhook

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Guard stands before webhooks, also those of other packages: it counts how reviews end, lets
// only so many of one webhook be worked on at once, and none before the caches are filled.
type Guard struct {
	admissions *prometheus.CounterVec
	cache      cache.Cache
}

// NewGuard makes the guard of a process. There is one: metrics are registered once.
func NewGuard(metrics prometheus.Registerer, c cache.Cache) *Guard {
	return &Guard{admissions: newCounter(metrics), cache: c}
}

// Judging guards a webhook that may refuse. judge returns an error where it could not tell:
// who writes is asked to try again. patience is how long it may take, less than what the API
// server waits, so that people read why instead of that nobody answered.
func (g *Guard) Judging(name string, patience time.Duration, judge func(context.Context, admission.Request) (admission.Response, error)) admission.HandlerFunc {
	taken := make(seats, enough)
	answer := func(ctx context.Context, req admission.Request) (admission.Response, error) {
		if err := taken.take(ctx); err != nil {
			return admission.Response{}, err
		}
		defer taken.giveBack()
		if err := g.filled(ctx); err != nil {
			return admission.Response{}, err
		}
		return judge(ctx, req)
	}
	return counted(g.admissions, name, func(ctx context.Context, req admission.Request) admission.Response {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		response, err := answer(ctx, req)
		if err != nil {
			return unable(ctx, err)
		}
		return response
	})
}

// filled waits until the caches hold what the cluster does. A replica that does not
// know the holder of a name must not say that there is none.
func (g *Guard) filled(ctx context.Context) error {
	if !g.cache.WaitForCacheSync(ctx) {
		return errCaches
	}
	return nil
}
