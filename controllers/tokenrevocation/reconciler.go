package tokenrevocation

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

type reconciler struct {
	find    index.Finder
	writer  client.Writer
	now     func() time.Time
	metrics metrics
}

// Reconcile removes one TokenRevocation if its tokens have ended.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	revocation := &v1alpha1.TokenRevocation{}
	if ok, err := r.find.Get(ctx, req.NamespacedName, revocation); !ok {
		return ctrl.Result{}, err
	}
	now := r.now()
	if ends := end(revocation); now.Before(ends) {
		return ctrl.Result{RequeueAfter: index.Wake(now, ends)}, nil
	}
	// The one that was judged, and not another of its name.
	err := r.writer.Delete(ctx, revocation, client.Preconditions{UID: &revocation.UID})
	switch {
	case err == nil:
		r.metrics.removed.Inc()
	case !apierrors.IsNotFound(err) && !apierrors.IsConflict(err):
		r.metrics.failures.Inc()
		return ctrl.Result{}, fmt.Errorf("removing TokenRevocation %s: %w", req, err)
	}
	return ctrl.Result{}, nil
}
