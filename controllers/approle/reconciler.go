package approle

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
	alarm    *index.Alarm
	recorder status.EventRecorder
	now      func() time.Time
}

// Reconcile brings the status of one role up to date.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	f, err := r.observe(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if f.Role == nil {
		r.writer.Forget(req.NamespacedName)
		r.alarm.Set(req.NamespacedName, time.Time{})
		return ctrl.Result{}, nil
	}
	if r.writer.Outdated(f.Role) {
		return ctrl.Result{}, nil // the event of the newer one comes
	}
	now := r.now()
	d := decide(f, now)
	r.alarm.Set(req.NamespacedName, now, d.ends...)
	before := f.Role
	after := before.DeepCopy()
	after.Status = conclude(f, d, now)

	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return ctrl.Result{}, nil
	}
	written, err := r.writer.Write(ctx, before, after)
	if written {
		r.tell(f, after)
	}
	return ctrl.Result{}, err
}
