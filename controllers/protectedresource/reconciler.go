package protectedresource

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

type reconciler struct {
	find     index.Finder
	writer   *status.Writer
	recorder status.EventRecorder
	now      func() time.Time
}

// Reconcile brings the status of one resource up to date.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	f, err := r.observe(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if f.resource == nil {
		r.writer.Forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	if f.namespace == nil || r.writer.Outdated(f.resource) {
		return ctrl.Result{}, nil // the event of the namespace, or of the newer one, comes
	}
	before := f.resource
	after := before.DeepCopy()
	after.Status = conclude(f, decide(f), r.now())

	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return ctrl.Result{}, nil
	}
	if written, err := r.writer.Write(ctx, before, after); !written {
		return ctrl.Result{}, err
	}
	status.Record(r.recorder, after, before.Status.Conditions, after.Status.Conditions)
	return ctrl.Result{}, nil
}
