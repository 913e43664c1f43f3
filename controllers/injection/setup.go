package injection

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/lanyard-dev/lanyard/controllers/index"
)

// Path is where the webhook is served; config/webhook names the same.
const Path = "/inject"

// patience is shorter than what config/webhook gives it, so that people read why instead of
// that nobody answered.
const patience = 4 * time.Second

// Config is what the webhook needs beside the manager.
type Config struct {
	Installation
	// Server serves the webhook.
	Server ctrlwebhook.Server
	// Guard has reviews counted, bounded, and answered only once the caches are filled: see
	// controllers/webhook.
	Guard func(name string, patience time.Duration, judge func(context.Context, admission.Request) (admission.Response, error)) admission.HandlerFunc
}

// +kubebuilder:rbac:groups=lanyard.dev,resources=oauthclients;clientcertificates,verbs=get;list;watch
// +kubebuilder:rbac:groups=cert-manager.io,resources=certificates,verbs=get;list;watch

// SetupWithManager has the server answer by what the manager's cache holds, with the indexes
// of controllers/clientcertificate.
func SetupWithManager(mgr ctrl.Manager, cfg Config) {
	h := &handler{
		installation: cfg.Installation,
		cache:        observer{index.Finder{Reader: mgr.GetClient()}, true},
		live:         observer{index.Finder{Reader: mgr.GetAPIReader()}, false},
	}
	cfg.Server.Register(Path, &admission.Webhook{Handler: cfg.Guard("inject", patience, h.handle)})
}
