package tokenrevocation

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"

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

// +kubebuilder:rbac:groups=lanyard.dev,namespace=lanyard-system,resources=tokenrevocations,verbs=get;list;watch;delete

// SetupWithManager adds the controller to the manager, whose cache is to keep
// TokenRevocations as [Cached] says.
func SetupWithManager(mgr ctrl.Manager, cfg Config) error {
	r := &reconciler{
		find:    index.Finder{Reader: mgr.GetClient()},
		writer:  mgr.GetClient(),
		now:     cfg.Now,
		metrics: newMetrics(cfg.Metrics),
	}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.TokenRevocation{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// Cached has the manager's cache keep the TokenRevocations of one namespace, which are
// the only ones that count and that may be read, without their lists of tokens.
func Cached(namespace string) cache.ByObject {
	return cache.ByObject{
		Namespaces: map[string]cache.Config{namespace: {}},
		Transform: func(object any) (any, error) {
			r, ok := object.(*v1alpha1.TokenRevocation)
			if !ok {
				return nil, fmt.Errorf("a %T among TokenRevocations", object)
			}
			r.ManagedFields, r.Spec.Tokens = nil, nil
			return r, nil
		},
	}
}
