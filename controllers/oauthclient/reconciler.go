package oauthclient

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

type reconciler struct {
	find     index.Finder
	writer   client.StatusClient
	recorder status.EventRecorder
	now      func() time.Time
}

// Reconcile brings the status of one client up to date.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	f, err := r.observe(ctx, req.NamespacedName)
	if err != nil || f.client == nil || f.namespace == nil {
		return ctrl.Result{}, err // without its namespace: that one's event comes
	}
	now := r.now()
	d := decide(f, now)
	before := f.client
	after := before.DeepCopy()
	after.Status = conclude(f, d, now)

	if !equality.Semantic.DeepEqual(before.Status, after.Status) {
		if written, err := status.Write(ctx, r.writer, before, after); !written {
			return ctrl.Result{}, err
		}
		r.tell(before, after)
	}
	return ctrl.Result{RequeueAfter: index.Wake(now, d.ends()...)}, nil
}

func (r *reconciler) tell(before, after *v1alpha1.OAuthClient) {
	status.Record(r.recorder, after, before.Status.Conditions, after.Status.Conditions)
	for _, role := range changedRoles(before.Status.Roles, after.Status.Roles) {
		eventType := corev1.EventTypeNormal
		if role.State == v1alpha1.RoleDenied || role.State == v1alpha1.RoleExpired || role.State == v1alpha1.RoleNotFound {
			eventType = corev1.EventTypeWarning
		}
		r.recorder.Eventf(after, nil, eventType, "Role"+string(role.State), "SetRole", "%s", noteOf(role))
	}
}

// noteOf says how a role stands, in the 1024 bytes that the API gives an event.
func noteOf(role v1alpha1.ClientRoleStatus) string {
	note := "role " + role.Namespace + "/" + role.Name + " is " + string(role.State)
	if role.Message != "" {
		note += ": " + role.Message
	}
	return status.Cut(note, 1024)
}
