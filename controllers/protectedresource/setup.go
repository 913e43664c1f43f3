package protectedresource

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

// Config is what the controller needs beside the manager.
type Config struct {
	// Now is the clock.
	Now func() time.Time
	// ClusterDomain is the cluster's DNS domain, such as cluster.local.
	ClusterDomain string
}

const workers = 4

// +kubebuilder:rbac:groups=lanyard.dev,resources=protectedresources,verbs=get;list;watch
// +kubebuilder:rbac:groups=lanyard.dev,resources=protectedresources/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager adds the controller to the manager, whose indexes
// index.Register has made.
func SetupWithManager(mgr ctrl.Manager, cfg Config) error {
	r := &reconciler{
		find:     index.Finder{Reader: mgr.GetClient(), ClusterDomain: cfg.ClusterDomain},
		writer:   status.NewWriter(mgr.GetClient()),
		recorder: mgr.GetEventRecorder("lanyard-protectedresource"),
		now:      cfg.Now,
	}
	concerned := index.Handler(r.find.Resources)
	changed := builder.WithPredicates(index.SpecChanged())
	// The object itself without a predicate: the event of its own status write is
	// the proof that the cache holds it. It finds nothing to do and writes nothing.
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ProtectedResource{}).
		Watches(&v1alpha1.ProtectedResource{}, index.Others(r.find.Resources), changed).
		WatchesMetadata(&corev1.Namespace{}, concerned, builder.WithPredicates(index.PolicyChanged())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}
