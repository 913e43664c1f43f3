package approleassignment

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// tell tells a decision on the role that it is about, or else on the assignment how that
// stands: one event, whatever has changed.
func (r *reconciler) tell(f facts, after *v1alpha1.AppRoleAssignment) {
	if !decidedAnew(f.assignment, after) {
		status.Record(r.recorder, after, f.assignment.Status.Conditions, after.Status.Conditions)
		return
	}
	reason := v1alpha1.EventApproved
	if after.Spec.Decision != v1alpha1.DecisionApproved {
		reason = v1alpha1.EventDenied
	}
	r.recorder.Eventf(f.role, after, corev1.EventTypeNormal, reason, "Decide", "%s", noteOf(after))
}

// decidedAnew says whether a decision is in force that was not looked at before. Whom it
// is about cannot change: a new generation is a new decision, expiry or reason, and the
// status remembers across restarts which was seen. Of decisions that were there before
// their role, the role tells when it comes.
func decidedAnew(before, after *v1alpha1.AppRoleAssignment) bool {
	return before.Status.ObservedGeneration != after.Generation && meta.IsStatusConditionTrue(after.Status.Conditions, v1alpha1.ConditionReady)
}

// noteOf says who decided what about whom, until when and why: "alice approved
// shop/checkout until 2027-01-01T00:00:00Z: checkout shows order history".
func noteOf(a *v1alpha1.AppRoleAssignment) string {
	note := a.Spec.DecidedBy + " approved "
	if a.Spec.Decision != v1alpha1.DecisionApproved {
		note = a.Spec.DecidedBy + " denied "
	}
	if a.Spec.DecidedBy == "" { // older than admission
		note = "AppRoleAssignment " + a.Name + ": " + string(a.Spec.Decision) + " for "
	}
	note += subject(a)
	if a.Spec.ExpiresAt != nil {
		note += " until " + a.Spec.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if a.Spec.Reason != "" {
		note += ": " + a.Spec.Reason
	}
	return status.Cut(note, status.MaxNote)
}

// subject says for people whom a is about.
func subject(a *v1alpha1.AppRoleAssignment) string {
	if ref := a.Spec.ClientRef; ref != nil {
		return ref.Namespace + "/" + ref.Name
	}
	if a.Spec.ClientSelector == nil {
		return "nobody"
	}
	clients := "the clients of namespaces with " + metav1.FormatLabelSelector(&a.Spec.ClientSelector.NamespaceSelector)
	if own := a.Spec.ClientSelector.LabelSelector; own != nil {
		clients += " that are labelled " + metav1.FormatLabelSelector(own)
	}
	return clients
}

// removals tells on the role that a decision about it is gone. An object that is gone
// has no status that could remember whether it was told: after a restart it is not.
func (r *reconciler) removals() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, _ queue) {
			if !rules.Gone(e.ObjectOld) && rules.Gone(e.ObjectNew) {
				r.tellRemoval(ctx, e.ObjectNew)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, _ queue) {
			if !rules.Gone(e.Object) { // else it was told when its deletion began
				r.tellRemoval(ctx, e.Object)
			}
		},
	}
}

func (r *reconciler) tellRemoval(ctx context.Context, o client.Object) {
	a, ok := o.(*v1alpha1.AppRoleAssignment)
	if !ok {
		return
	}
	// In a namespace that is being deleted nobody reads events, and none can be made.
	ns, role := &metav1.PartialObjectMetadata{}, &v1alpha1.AppRole{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	there, err := r.find.Get(ctx, types.NamespacedName{Name: a.Namespace}, ns)
	if there {
		there, err = r.find.Get(ctx, types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.RoleRef.Name}, role)
	}
	if err != nil {
		logf.FromContext(ctx).Error(err, "cannot tell that a decision is gone", "namespace", a.Namespace, "name", a.Name)
	}
	if there {
		r.recorder.Eventf(role, a, corev1.EventTypeNormal, v1alpha1.EventDecisionRemoved, "Remove", "%s",
			status.Cut("AppRoleAssignment "+a.Name+" is gone, which said: "+noteOf(a), status.MaxNote))
	}
}
