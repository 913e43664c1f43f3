package signingkeys

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// Config is what the controller needs beside the manager.
type Config struct {
	// Namespace is Lanyard's own.
	Namespace string
	// SecretName is the name of the Secret; empty: the constant SecretName. The
	// controller's role must name the same one.
	SecretName string
	// Schedule says how keys rotate, and with which algorithm they sign.
	Schedule keyring.Schedule
	// Now is the clock.
	Now func() time.Time
	// Random is crypto/rand.Reader. Go takes keys for ECDSA and RSA from the
	// system's randomness whatever is given here.
	Random io.Reader
	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
}

// +kubebuilder:rbac:groups="",namespace=lanyard-system,resources=secrets,resourceNames=lanyard-signing-keys,verbs=get;list;watch;update
// +kubebuilder:rbac:groups="",namespace=lanyard-system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// SetupWithManager adds the controller to the manager. It runs on the leader only.
func SetupWithManager(mgr ctrl.Manager, cfg Config) error {
	if err := cfg.Schedule.Validate(); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	key := types.NamespacedName{Namespace: cfg.Namespace, Name: cmp.Or(cfg.SecretName, SecretName)}
	r := &reconciler{
		key:      key,
		reader:   mgr.GetAPIReader(),
		writer:   mgr.GetClient(),
		recorder: mgr.GetEventRecorder("lanyard-signingkeys"),
		schedule: cfg.Schedule,
		now:      cfg.Now,
		random:   cfg.Random,
		metrics:  newMetrics(cfg.Metrics),
	}
	watched, err := newCache(mgr, key)
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	request := reconcile.Request{NamespacedName: key}
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return ctrl.NewControllerManagedBy(mgr).
		Named("signingkeys").
		WatchesRawSource(source.Kind[client.Object](watched, metadata, handler.EnqueueRequestsFromMapFunc(
			func(context.Context, client.Object) []reconcile.Request { return []reconcile.Request{request} },
		))).
		// Where there is no Secret yet, no event says so.
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			queue.Add(request)
			return nil
		})).
		Complete(r)
}

// newCache makes a cache of its own that holds the metadata of the one Secret: the
// manager's would ask to read every Secret of the cluster.
func newCache(mgr ctrl.Manager, key types.NamespacedName) (cache.Cache, error) {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(),
		Scheme:     mgr.GetScheme(),
		Mapper:     mgr.GetRESTMapper(),
		DefaultNamespaces: map[string]cache.Config{
			key.Namespace: {FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name)},
		},
	})
	if err != nil {
		return nil, err
	}
	return c, mgr.Add(c)
}
