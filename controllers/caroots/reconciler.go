package caroots

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

// fieldOwner is the name under which the API server keeps what Lanyard wrote.
const fieldOwner = "lanyard-controller"

// Reasons of events on a ConfigMap lanyard-ca.
const (
	// EventNotOurs: a ConfigMap that Lanyard did not make has the name, and is left as it is.
	EventNotOurs = "CAConfigMapNotOurs"
)

type reconciler struct {
	namespace  string        // Lanyard's own
	reader     client.Reader // the manager's cache
	configMaps client.Reader // a cache that holds ConfigMaps lanyard-ca alone
	live       client.Reader // the API server itself
	writer     client.Writer
	recorder   events.EventRecorder
	bundle     bundle
	now        func() time.Time
	metrics    metrics
}

// Reconcile keeps the ConfigMap of one namespace.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	o, err := r.observe(ctx, req.Namespace)
	if err != nil {
		return ctrl.Result{}, err
	}
	now, own := r.now(), req.Namespace == r.namespace
	d := decide(o, own, now)
	if err := r.act(ctx, req.Namespace, o.held, d); err != nil {
		r.metrics.failures.Inc()
		return ctrl.Result{}, fmt.Errorf("ConfigMap %s: %w", req, err)
	}
	if !own {
		return ctrl.Result{}, nil // follows when the memory changes
	}
	r.metrics.roots.Set(float64(d.roots))
	return ctrl.Result{RequeueAfter: index.Wake(now, d.next)}, nil
}

func (r *reconciler) act(ctx context.Context, namespace string, held *corev1.ConfigMap, d decision) error {
	var err error
	switch d.action {
	case nothing:
	case leave:
		r.recorder.Eventf(held, nil, corev1.EventTypeWarning, EventNotOurs, "Leave",
			"this ConfigMap has the name of the one that Lanyard keeps in each namespace with an OAuthClient or a ProtectedResource, and not its label %s=%s, so it is left as it is. "+
				"Injected pods and APIs of this namespace trust the issuer by the roots in its key %s: keep them up to date, or delete it, and Lanyard makes its own",
			labelManagedBy, managedBy, v1alpha1.KeyCA)
	case remove:
		err = r.writer.Delete(ctx, held, client.Preconditions{UID: &held.UID, ResourceVersion: &held.ResourceVersion})
	case apply:
		err = r.apply(ctx, namespace, held, d.text)
	}
	// It is not any more what was judged, and the event of that comes; or the namespace
	// is on its way out.
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}

// apply makes the ConfigMap, or changes the one that was judged and no other. Where there
// was none it forces nothing: one that somebody made meanwhile is a conflict. It is no
// plain create, since RBAC can hold an apply to this one name.
func (r *reconciler) apply(ctx context.Context, namespace string, held *corev1.ConfigMap, text string) error {
	wanted := corev1ac.ConfigMap(v1alpha1.ConfigMapCA, namespace).
		WithLabels(map[string]string{labelManagedBy: managedBy}).
		WithData(map[string]string{v1alpha1.KeyCA: text})
	options := []client.ApplyOption{client.FieldOwner(fieldOwner)}
	if held != nil {
		wanted.WithUID(held.UID).WithResourceVersion(held.ResourceVersion)
		options = append(options, client.ForceOwnership)
	}
	return r.writer.Apply(ctx, wanted, options...)
}
