package approle

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

type reconciler struct {
	find     index.Finder
	writer   client.StatusClient
	recorder status.EventRecorder
	now      func() time.Time
}

// Reconcile brings the status of one role up to date.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	f, err := r.observe(ctx, req.NamespacedName)
	if err != nil || f.Role == nil {
		return ctrl.Result{}, err
	}
	now := r.now()
	d := decide(f, now)
	before := f.Role
	after := before.DeepCopy()
	after.Status = conclude(f, d, now)

	if !equality.Semantic.DeepEqual(before.Status, after.Status) {
		if written, err := status.Write(ctx, r.writer, before, after); !written {
			return ctrl.Result{}, err
		}
		status.Record(r.recorder, after, before.Status.Conditions, after.Status.Conditions)
	}
	return ctrl.Result{RequeueAfter: index.Wake(now, d.ends...)}, nil
}
