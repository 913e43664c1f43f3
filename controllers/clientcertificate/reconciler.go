package clientcertificate

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

// What the controller itself reads and writes. Not a word of Secrets.
//
// +kubebuilder:rbac:groups=lanyard.dev,resources=clientcertificates,verbs=get;list;watch
// +kubebuilder:rbac:groups=lanyard.dev,resources=clientcertificates/status,verbs=update
// +kubebuilder:rbac:groups=lanyard.dev,resources=oauthclients,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=cert-manager.io,resources=certificates,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=cert-manager.io,resources=certificaterequests,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// reconciler makes status say what is so.
type reconciler struct {
	client      client.Client
	live        client.Reader // the API server itself, not the cache
	recorder    status.EventRecorder
	now         func() time.Time
	policy      Policy
	certManager *certManager
	metrics     *metrics
}

// retryStale is how long after a write on a stale copy the same is looked at again,
// if the newer one has not had it reconciled before.
const retryStale = time.Second

// Reconcile brings one ClientCertificate up to date.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	result, err := r.reconcile(ctx, request)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		// Not worth an error in the log: the cache was a moment behind, which the
		// preconditions of all writes are for.
		return ctrl.Result{RequeueAfter: retryStale}, nil
	}
	return result, err
}

func (r *reconciler) reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object, err := get(ctx, r.client, request.Namespace, request.Name, &v1alpha1.ClientCertificate{})
	if err != nil || object == nil || object.DeletionTimestamp != nil {
		return ctrl.Result{}, err
	}
	o, err := r.observe(ctx, object)
	if err != nil {
		return ctrl.Result{}, err
	}
	decision := r.policy.decide(o)
	rejected, err := r.act(ctx, o, decision)
	if err != nil {
		return ctrl.Result{}, err
	}
	seen := r.policy.see(o)
	end := conclude(o, seen, decision, rejected)
	if !equality.Semantic.DeepEqual(object.Status, end.status) {
		if err := r.write(ctx, object, end.status); err != nil {
			return ctrl.Result{}, err
		}
		r.tell(ctx, o, seen, end.status)
	}
	return result(o, end, decision, rejected.Reason != ""), nil
}

// write replaces the whole status, so that nothing that others wrote there stays.
// The object's resourceVersion is a precondition: pins follow from those of before,
// and a stale copy of them must not win, nor a status outlive its object.
func (r *reconciler) write(ctx context.Context, object *v1alpha1.ClientCertificate, next v1alpha1.ClientCertificateStatus) error {
	updated := object.DeepCopy()
	updated.Status = next
	return r.client.Status().Update(ctx, updated, client.FieldOwner(FieldOwner))
}

// retryRejected is how long after a refusal of the API server the same is tried
// again: what refused it, an admission policy, may have changed.
const retryRejected = time.Minute

func result(o *observation, end conclusion, d decision, rejected bool) ctrl.Result {
	var again time.Duration
	sooner := func(after time.Duration) {
		if after > 0 && (again == 0 || after < again) {
			again = after
		}
	}
	if !end.next.IsZero() {
		sooner(end.next.Sub(o.now))
	}
	sooner(d.again)
	if rejected {
		sooner(retryRejected)
	}
	return ctrl.Result{RequeueAfter: again}
}
