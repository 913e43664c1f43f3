package pod

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

// Config is what the controller needs beside the manager.
type Config struct {
	// Now is the clock.
	Now func() time.Time
	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
}

const workers = 2

// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=lanyard.dev,resources=oauthclients;clientcertificates,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager adds the controller to the manager, whose cache has the indexes of
// controllers/clientcertificate. It runs on the leader only.
func SetupWithManager(mgr ctrl.Manager, cfg Config) error {
	pods, err := newCache(mgr)
	if err != nil {
		return err
	}
	r := &reconciler{
		find:     index.Finder{Reader: mgr.GetClient()},
		pods:     pods,
		live:     mgr.GetAPIReader(),
		recorder: mgr.GetEventRecorder("lanyard-pod"),
		memory: newMemory(promauto.With(cfg.Metrics).NewGaugeVec(prometheus.GaugeOpts{
			Name: "lanyard_pods_not_injected",
			Help: "Pods that have the label lanyard.dev/inject: \"true\" and no sidecar, by namespace.",
		}, []string{"namespace"})),
		now: cfg.Now,
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("pod").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		WatchesRawSource(r.watch(pods)).
		Watches(&v1alpha1.OAuthClient{}, index.Handler(r.ofClient), builder.WithPredicates(index.SpecChanged())).
		Watches(&v1alpha1.ClientCertificate{}, index.Handler(r.ofCertificate), builder.WithPredicates(predicate.Or(index.SpecChanged(), secretNamed()))).
		Complete(r)
}

// newCache makes a cache of its own that holds some metadata of the pods that ask for the
// sidecar and have not ended: the manager's would hold every pod of the cluster.
func newCache(mgr ctrl.Manager) (cache.Cache, error) {
	unfinished := fields.AndSelectors(fields.OneTermNotEqualSelector("status.phase", "Succeeded"), fields.OneTermNotEqualSelector("status.phase", "Failed"))
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient:           mgr.GetHTTPClient(),
		Scheme:               mgr.GetScheme(),
		Mapper:               mgr.GetRESTMapper(),
		DefaultLabelSelector: labels.SelectorFromSet(labels.Set{v1alpha1.LabelInject: "true"}),
		DefaultFieldSelector: unfinished,
		DefaultTransform:     stripped,
	})
	if err != nil {
		return nil, err
	}
	return c, mgr.Add(c)
}

// watch begins to watch the pods. That it does so no sooner leaves a replica that waits for
// the Lease without them.
func (r *reconciler) watch(pods cache.Cache) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		for name, annotation := range map[string]string{indexClient: v1alpha1.AnnotationClient, indexCertificate: v1alpha1.AnnotationCertificate} {
			if err := pods.IndexField(ctx, metadata(), name, func(o client.Object) []string {
				return []string{o.GetAnnotations()[annotation]}
			}); err != nil {
				return fmt.Errorf("index %s: %w", name, err)
			}
		}
		return source.Kind[client.Object](pods, metadata(), index.Handler(index.Itself)).Start(ctx, q)
	})
}

func (r *reconciler) ofClient(ctx context.Context, o client.Object) (index.Keys, error) {
	keys := index.Keys{}
	return keys, r.add(ctx, keys, o.GetNamespace(), indexClient, o.GetName())
}

// ofCertificate finds the pods of a certificate's client, and those that name it, whosever
// it is.
func (r *reconciler) ofCertificate(ctx context.Context, o client.Object) (index.Keys, error) {
	cc, ok := o.(*v1alpha1.ClientCertificate)
	if !ok {
		return nil, nil
	}
	keys := index.Keys{}
	return keys, errors.Join(
		r.add(ctx, keys, cc.Namespace, indexClient, cc.Spec.ClientRef.Name),
		r.add(ctx, keys, cc.Namespace, indexCertificate, cc.Name),
	)
}

// secretNamed lets through certificates that have come to be in another Secret.
func secretNamed() predicate.Predicate {
	of := func(o client.Object) string {
		if cc, ok := o.(*v1alpha1.ClientCertificate); ok {
			return cc.Status.SecretName
		}
		return ""
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return of(e.ObjectOld) != of(e.ObjectNew) }}
}
