package clientsecret

import (
	"io"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

// Config is what the controller needs beside the manager.
type Config struct {
	// Enabled is whether the installation serves client secrets. If it does not, no
	// Secret is touched, and clients that list clientSecret are told.
	Enabled bool
	// Now is the clock.
	Now func() time.Time
	// Random is crypto/rand.Reader.
	Random io.Reader
}

const workers = 4

// Secrets of workloads need create and patch, which only config/components/client-secrets
// gives, and holds to Secrets of this package's own making. It stands there by hand:
// what is generated from a marker here would be given to every installation.
//
// +kubebuilder:rbac:groups=lanyard.dev,resources=oauthclients,verbs=get;list;watch
// +kubebuilder:rbac:groups=lanyard.dev,resources=oauthclients/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager adds the controller to the manager.
func SetupWithManager(mgr ctrl.Manager, cfg Config) error {
	r := &reconciler{
		enabled:  cfg.Enabled,
		live:     index.Finder{Reader: mgr.GetAPIReader()},
		writer:   mgr.GetClient(),
		recorder: mgr.GetEventRecorder("lanyard-clientsecret"),
		now:      cfg.Now,
		random:   cfg.Random,
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("clientsecret").
		For(&v1alpha1.OAuthClient{}, builder.WithPredicates(concerned())).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// concerned lets through clients that list clientSecret or did, when their spec or the
// status of their secrets has changed. Most clients of a cluster list none, and how
// their roles stand is no matter here.
func concerned() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return concerns(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return (concerns(e.ObjectOld) || concerns(e.ObjectNew)) &&
				(index.SpecChanged().Update(e) || !equality.Semantic.DeepEqual(secretsOf(e.ObjectOld), secretsOf(e.ObjectNew)))
		},
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

func concerns(o client.Object) bool {
	c, ok := o.(*v1alpha1.OAuthClient)
	return ok && (c.Spec.Authentication.ClientSecret != nil || len(c.Status.ClientSecrets) > 0 ||
		meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionClientSecret) != nil)
}

func secretsOf(o client.Object) []v1alpha1.ClientSecretStatus {
	c, ok := o.(*v1alpha1.OAuthClient)
	if !ok {
		return nil
	}
	return c.Status.ClientSecrets
}
