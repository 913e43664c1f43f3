package caroots

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

// Config is what the controller needs beside the manager.
type Config struct {
	// Namespace is Lanyard's own.
	Namespace string
	// Bundle is the PEM files with the roots; empty: no ConfigMap is kept. Roots that stand in any
	// of them are current.
	Bundle []string
	// LookEvery is how often they are read; zero: every few seconds.
	LookEvery time.Duration
	// Now is the clock.
	Now func() time.Time
	// Log takes what is said of the files.
	Log *slog.Logger
	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
}

const workers = 2

// An apply that makes the ConfigMap asks for create by its name too, unlike a POST: no
// other ConfigMap can be made with these permissions.
//
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=lanyard-ca,verbs=create;list;watch;patch;delete
// +kubebuilder:rbac:groups=lanyard.dev,resources=oauthclients;protectedresources,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager adds the controller to the manager. It runs on the leader only.
func SetupWithManager(mgr ctrl.Manager, cfg Config) error {
	if len(cfg.Bundle) == 0 {
		cfg.Log.Warn("without --ca-bundle no ConfigMap lanyard-ca is kept, and injected pods wait until their namespace has one")
		return nil
	}
	metrics := newMetrics(cfg.Metrics)
	configMaps, err := newCache(mgr, cfg.Namespace)
	if err != nil {
		return err
	}
	r := &reconciler{
		namespace:  cfg.Namespace,
		reader:     mgr.GetClient(),
		configMaps: configMaps,
		live:       mgr.GetAPIReader(),
		writer:     mgr.GetClient(),
		recorder:   mgr.GetEventRecorder("lanyard-caroots"),
		bundle:     newBundle(cfg.Bundle, cfg.Log, metrics),
		now:        cfg.Now,
		metrics:    metrics,
	}
	every := cfg.LookEvery
	if every == 0 {
		every = lookEvery
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("caroots").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Watches(&v1alpha1.OAuthClient{}, index.Handler(itsNamespace), builder.WithPredicates(comesOrGoes())).
		Watches(&v1alpha1.ProtectedResource{}, index.Handler(itsNamespace), builder.WithPredicates(comesOrGoes())).
		WatchesRawSource(source.Kind[client.Object](configMaps, &corev1.ConfigMap{}, index.Handler(r.followers))).
		WatchesRawSource(r.files(every)).
		Complete(r)
}

// newCache makes a cache of its own that holds the ConfigMaps of the one name: the
// manager's would ask to read every ConfigMap of the cluster.
func newCache(mgr ctrl.Manager, own string) (cache.Cache, error) {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient:           mgr.GetHTTPClient(),
		Scheme:               mgr.GetScheme(),
		Mapper:               mgr.GetRESTMapper(),
		DefaultFieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, v1alpha1.ConfigMapCA),
		DefaultTransform:     transform(own),
	})
	if err != nil {
		return nil, err
	}
	return c, mgr.Add(c)
}

// transform returns what the cache keeps of a ConfigMap.
func transform(own string) func(any) (any, error) {
	return func(object any) (any, error) {
		held, ok := object.(*corev1.ConfigMap)
		if !ok {
			return nil, fmt.Errorf("a %T among ConfigMaps", object)
		}
		digested(held, own)
		return held, nil
	}
}

// in is the ConfigMap of a namespace.
func in(namespace string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: v1alpha1.ConfigMapCA}
}

func itsNamespace(_ context.Context, o client.Object) (index.Keys, error) {
	return index.Keys{in(o.GetNamespace()): {}}, nil
}

// followers are whom a change of a ConfigMap concerns: if it is the memory, everybody.
func (r *reconciler) followers(ctx context.Context, o client.Object) (index.Keys, error) {
	if o.GetNamespace() == r.namespace {
		return r.everybody(ctx)
	}
	return itsNamespace(ctx, o)
}

// everybody is Lanyard's own namespace and each that holds a client or an API: the sidecar
// asks the issuer for tokens, and whoever verifies them asks it for its keys.
func (r *reconciler) everybody(ctx context.Context) (index.Keys, error) {
	keys := index.Keys{in(r.namespace): {}}
	var clients v1alpha1.OAuthClientList
	var resources v1alpha1.ProtectedResourceList
	err := errors.Join(r.reader.List(ctx, &clients, client.UnsafeDisableDeepCopy), r.reader.List(ctx, &resources, client.UnsafeDisableDeepCopy))
	for i := range clients.Items {
		keys[in(clients.Items[i].Namespace)] = struct{}{}
	}
	for i := range resources.Items {
		keys[in(resources.Items[i].Namespace)] = struct{}{}
	}
	return keys, err
}

// comesOrGoes lets through clients and APIs that come, and those that go: what they declare is
// no matter here.
func comesOrGoes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return (e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
	}}
}

// files reads the files before anything is reconciled, and queues everybody when one has
// changed.
func (r *reconciler) files(every time.Duration) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		r.bundle.read()
		q.Add(reconcile.Request{NamespacedName: in(r.namespace)})
		go r.bundle.watch(ctx, every, func() {
			all, err := r.everybody(ctx)
			if err != nil {
				logf.FromContext(ctx).Error(err, "cannot tell which namespaces hold clients or APIs") // the manager stops
			}
			for key := range all {
				q.Add(reconcile.Request{NamespacedName: key})
			}
		})
		return nil
	})
}
