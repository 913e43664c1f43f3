package clientsecret

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

const (
	// soon is when to look again after somebody else wrote first.
	soon = 100 * time.Millisecond
	// attempts is how often one conclusion is written.
	attempts = 5
)

type reconciler struct {
	enabled  bool
	live     index.Finder // the API server, not a cache
	writer   client.Client
	recorder status.EventRecorder
	now      func() time.Time
	random   io.Reader
}

// Reconcile does what is due with the secrets of one client.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	f, err := r.observe(ctx, req.NamespacedName)
	if err != nil || f.client == nil {
		return ctrl.Result{}, err
	}
	now := r.now()
	d := decide(f, r.enabled, now)
	var o outcome
	if d.make != "" {
		if o, err = r.act(ctx, f, now); err != nil {
			return ctrl.Result{}, err
		}
		if o == (outcome{}) {
			return ctrl.Result{RequeueAfter: soon}, nil
		}
	}
	after, written, err := r.write(ctx, f, d, o, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !written {
		return ctrl.Result{RequeueAfter: soon}, nil // nothing may tell us of what came in between
	}
	return ctrl.Result{RequeueAfter: next(f, after, now)}, nil
}

// write concludes, and writes the status. The controller that judges a client writes the
// other part of it at the same moments: where only that has changed, the conclusion
// stands and is written again, or each would cost a secret.
func (r *reconciler) write(ctx context.Context, f facts, d decision, o outcome, now time.Time) (v1alpha1.OAuthClientStatus, bool, error) {
	decided := f.client
	for range attempts {
		before := f.client
		after := before.DeepCopy()
		after.Status = conclude(f, d, o, r.enabled, now)
		concluded := after.Status
		if equality.Semantic.DeepEqual(before.Status, after.Status) {
			return concluded, true, nil
		}
		written, err := status.Write(ctx, r.writer, before, after)
		if err != nil {
			return concluded, false, err
		}
		if written {
			r.tell(before, after, d, o)
			return concluded, true, nil
		}
		fresh := &v1alpha1.OAuthClient{}
		if ok, err := r.live.Get(ctx, client.ObjectKeyFromObject(before), fresh); !ok {
			return concluded, false, err
		}
		if fresh.UID != decided.UID || !equality.Semantic.DeepEqual(basis(fresh), basis(decided)) {
			break
		}
		f.client = fresh
	}
	return v1alpha1.OAuthClientStatus{}, false, nil
}

// basis is what a decision about secrets rests on.
func basis(c *v1alpha1.OAuthClient) []any {
	return []any{c.Spec.Authentication.ClientSecret, c.Status.ClientSecrets}
}

func (r *reconciler) tell(before, after *v1alpha1.OAuthClient, d decision, o outcome) {
	const action = "SetClientSecret"
	if o.made != nil {
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, v1alpha1.ReasonClientSecretIssued, action,
			"made a client secret, which works until %s, because %s", written(o.made.ExpiresAt.Time), d.make)
	}
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionClientSecret)
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionClientSecret)
	switch {
	case is == nil && was != nil:
		r.recorder.Eventf(after, nil, corev1.EventTypeNormal, EventEnded, action,
			"spec.authentication.clientSecret is gone: no client secret works any more. The Secret stays until the client is deleted; delete it if nobody needs it")
	case is != nil && is.Status == metav1.ConditionFalse && (was == nil || was.Reason != is.Reason):
		r.recorder.Eventf(after, nil, corev1.EventTypeWarning, is.Reason, action, "%s", status.Cut(is.Message, status.MaxNote))
	}
}

// Reasons of events on OAuthClient that are no condition's.
const (
	// EventEnded: spec.authentication.clientSecret is gone, and no client secret works any more.
	EventEnded = "ClientSecretsEnded"
)
