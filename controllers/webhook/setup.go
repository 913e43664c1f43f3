package webhook

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/lanyard-dev/lanyard/controllers/index"
)

// Where the webhooks are served; config/webhook names the same.
const (
	PathWhoDecided   = "/admit/who-decided"
	PathDeclarations = "/judge/declarations"
	PathWarnings     = "/warn"
)

// Config is what the webhooks need beside the manager.
type Config struct {
	// Server serves the webhooks.
	Server ctrlwebhook.Server
	// Now is the clock.
	Now func() time.Time
	// ClusterDomain is the cluster's DNS domain, such as cluster.local.
	ClusterDomain string
	// AllowedIssuers may be named in every namespace: Kind/name or Kind.group/name.
	AllowedIssuers []string
	// Guard stands before them.
	Guard *Guard
}

// +kubebuilder:rbac:groups=lanyard.dev,resources=oauthclients;protectedresources;approles;approleassignments,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch

// SetupWithManager has the server answer by what the manager's cache holds. The manager's
// indexes are those of index.Register, which also has every replica fill its caches.
func SetupWithManager(ctx context.Context, mgr ctrl.Manager, cfg Config) error {
	// Controllers, which run on the leader alone, are what else asks for namespaces.
	namespaces := &metav1.PartialObjectMetadata{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if _, err := mgr.GetCache().GetInformer(ctx, namespaces, cache.BlockUntilSynced(false)); err != nil {
		return err
	}
	h := &handlers{
		find:    index.Finder{Reader: mgr.GetClient(), ClusterDomain: cfg.ClusterDomain},
		live:    index.Finder{Reader: mgr.GetAPIReader(), ClusterDomain: cfg.ClusterDomain},
		scheme:  mgr.GetScheme(),
		issuers: cfg.AllowedIssuers,
		now:     cfg.Now,
		guard:   cfg.Guard,
		warning: make(seats, enough),
	}
	admissions := cfg.Guard.admissions
	cfg.Server.Register(PathWhoDecided, &admission.Webhook{Handler: counted(admissions, "who-decided", h.handleWhoDecided)})
	cfg.Server.Register(PathDeclarations, &admission.Webhook{Handler: cfg.Guard.Judging("declarations", declarationsPatience, h.declarations)})
	// A panic ends the connection, which the API server passes over (failurePolicy
	// Ignore); recovered, it would be an answer, and refuse.
	warnings := &admission.Webhook{Handler: counted(admissions, "warnings", h.handleWarnings)}
	cfg.Server.Register(PathWarnings, warnings.WithRecoverPanic(false))
	return nil
}
