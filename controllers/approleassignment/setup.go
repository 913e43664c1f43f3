package approleassignment

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

// +kubebuilder:rbac:groups=lanyard.dev,resources=approleassignments;approles;oauthclients,verbs=get;list;watch
// +kubebuilder:rbac:groups=lanyard.dev,resources=approleassignments/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager adds the controller to the manager, whose indexes
// index.Register has made.
func SetupWithManager(mgr ctrl.Manager, cfg Config) error {
	r := &reconciler{
		find:     index.Finder{Reader: mgr.GetClient(), ClusterDomain: cfg.ClusterDomain},
		writer:   status.NewWriter(mgr.GetClient()),
		alarm:    index.NewAlarm(cfg.Now),
		recorder: mgr.GetEventRecorder("lanyard-approleassignment"),
		now:      cfg.Now,
	}
	counted := index.Gathering(r.find.AssignmentsOf)
	changed := builder.WithPredicates(index.SpecChanged())
	// A status that was written, by whomever, is looked at after a breath: the event of its
	// own write is the proof that the cache holds it, and must not set off the next one.
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.AppRoleAssignment{}, changed).
		Watches(&v1alpha1.AppRoleAssignment{}, index.Gathering(index.Itself)).
		Watches(&v1alpha1.AppRoleAssignment{}, r.removals()).
		Watches(&v1alpha1.AppRole{}, index.Handler(r.find.AssignmentsOf), changed).
		Watches(&v1alpha1.OAuthClient{}, counted, changed).
		WatchesMetadata(&corev1.Namespace{}, counted, builder.WithPredicates(index.PolicyChanged())).
		WatchesRawSource(r.alarm.Source()).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}
