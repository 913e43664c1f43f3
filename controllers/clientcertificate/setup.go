package clientcertificate

import (
	"context"
	"errors"
	"fmt"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

const kind = "ClientCertificate"

// workers reconcile side by side: most of their time they wait for the API server.
const workers = 4

var namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")

// Indexes of the cache.
const (
	indexClient      = index.CertificateClient         // ClientCertificates by spec.clientRef.name
	indexCertificate = "clientcertificate.certificate" // ClientCertificates by the name of their Certificate
	indexWanted      = "clientcertificate.secret"      // ClientCertificates by spec.issuance.secretName
	indexThumbprint  = "clientcertificate.thumbprint"  // ClientCertificates by their pins
	indexSecretName  = "certificate.secret"            // Certificates by spec.secretName
	indexOwner       = "certificaterequest.owner"      // CertificateRequests by the UID of their Certificate
)

// Config of the controller.
type Config struct {
	Policy
	// Now is the clock.
	Now func() time.Time
	// Registerer takes the metrics; nil: none.
	Registerer prometheus.Registerer
}

func (c Config) validate() error {
	switch {
	case c.Now == nil:
		return errors.New("a clock (Now) is missing")
	case c.CertManagerUsername == "":
		return errors.New("cert-manager's user name is missing: without it nobody's CertificateRequests would count")
	case c.TrustDomain == "":
		return errors.New("the trust domain is missing")
	default:
		return nil
	}
}

// SetupWithManager adds the controller to mgr. cert-manager need not be installed:
// its kinds are watched as soon as the API server serves them.
func SetupWithManager(mgr ctrl.Manager, config Config) error {
	if err := config.validate(); err != nil {
		return fmt.Errorf("clientcertificate: %w", err)
	}
	if err := addIndexes(context.Background(), mgr); err != nil {
		return fmt.Errorf("clientcertificate: %w", err)
	}
	d, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("clientcertificate: %w", err)
	}
	everything := make(chan event.GenericEvent)
	r := &reconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), recorder: mgr.GetEventRecorder(FieldOwner), now: config.Now,
		policy: config.Policy, metrics: newMetrics(config.Registerer), certManager: &certManager{discovery: d, known: make(chan struct{})},
	}
	w := watches{client: mgr.GetClient()}
	c, err := ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.ClientCertificate{}).
		Watches(&v1alpha1.OAuthClient{}, w.by(indexClient, client.Object.GetName), builder.WithPredicates(comesOrGoes())).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(w.ofNamespace), builder.WithPredicates(predicate.AnnotationChangedPredicate{})).
		WatchesRawSource(source.Channel(everything, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Build(r)
	if err != nil {
		return fmt.Errorf("clientcertificate: %w", err)
	}
	r.certManager.steps = w.certManager(mgr, c)
	r.certManager.changed = func(ctx context.Context) error { return w.all(ctx, everything) }
	return mgr.Add(r.certManager)
}

// comesOrGoes passes what a client's existence is about, which ends when its deletion
// begins: its client id, which stands in certificates, can never change.
func comesOrGoes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return (e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
	}}
}

func addIndexes(ctx context.Context, mgr ctrl.Manager) error {
	of := func(values func(*v1alpha1.ClientCertificate) []string) client.IndexerFunc {
		return func(o client.Object) []string { return values(o.(*v1alpha1.ClientCertificate)) }
	}
	indexer := mgr.GetFieldIndexer()
	return errors.Join(
		indexer.IndexField(ctx, &v1alpha1.ClientCertificate{}, indexClient, of(func(c *v1alpha1.ClientCertificate) []string {
			return []string{c.Spec.ClientRef.Name}
		})),
		indexer.IndexField(ctx, &v1alpha1.ClientCertificate{}, indexCertificate, of(func(c *v1alpha1.ClientCertificate) []string {
			return []string{certificateName(c)}
		})),
		indexer.IndexField(ctx, &v1alpha1.ClientCertificate{}, indexWanted, of(func(c *v1alpha1.ClientCertificate) []string {
			if c.Spec.Issuance == nil {
				return nil
			}
			return []string{c.Spec.Issuance.SecretName}
		})),
		indexer.IndexField(ctx, &v1alpha1.ClientCertificate{}, indexThumbprint, of(func(c *v1alpha1.ClientCertificate) []string {
			var all []string
			for _, pin := range c.Status.Pins {
				all = append(all, pin.Thumbprint)
			}
			return all
		})),
	)
}

// watches turn changes of other objects into requests.
type watches struct{ client client.Client }

// by maps an object to the ClientCertificates of its namespace that the index has
// under any of its values.
func (w watches) by(index string, values ...func(client.Object) string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		var all []reconcile.Request
		for _, value := range values {
			if v := value(o); v != "" {
				all = append(all, w.list(ctx, client.InNamespace(o.GetNamespace()), client.MatchingFields{index: v})...)
			}
		}
		return all
	})
}

func (w watches) ofNamespace(ctx context.Context, o client.Object) []reconcile.Request {
	return w.list(ctx, client.InNamespace(o.GetName()))
}

// list cannot fail but for an index that does not exist: it reads the cache.
func (w watches) list(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	var list v1alpha1.ClientCertificateList
	if err := w.client.List(ctx, &list, options...); err != nil {
		logf.FromContext(ctx).Error(err, "looking for ClientCertificates that a change is about")
		return nil
	}
	var all []reconcile.Request
	for i := range list.Items {
		all = append(all, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: list.Items[i].Namespace, Name: list.Items[i].Name}})
	}
	return all
}

// all has every ClientCertificate reconciled.
func (w watches) all(ctx context.Context, into chan<- event.GenericEvent) error {
	for _, r := range w.list(ctx) {
		o := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name}}
		select {
		case into <- event.GenericEvent{Object: o}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// certManager returns the steps that begin to watch cert-manager's kinds, for when
// the API server serves them.
func (w watches) certManager(mgr ctrl.Manager, c controller.Controller) []func(context.Context) error {
	certificate, request := &certmanagerv1.Certificate{}, &certmanagerv1.CertificateRequest{}
	secretName := func(o client.Object) string { return o.(*certmanagerv1.Certificate).Spec.SecretName }
	index := func(of client.Object, name string, value func(client.Object) string) func(context.Context) error {
		return func(ctx context.Context) error {
			return mgr.GetFieldIndexer().IndexField(ctx, of, name, func(o client.Object) []string { return []string{value(o)} })
		}
	}
	watch := func(of client.Object, h handler.EventHandler) func(context.Context) error {
		return func(context.Context) error { return c.Watch(source.Kind(mgr.GetCache(), of, h)) }
	}
	return []func(context.Context) error{
		index(certificate, indexSecretName, secretName),
		index(request, indexOwner, func(o client.Object) string { return string(ownerOf(o).UID) }),
		watch(certificate, w.by(indexCertificate, client.Object.GetName)),
		watch(certificate, w.by(indexWanted, secretName)),
		watch(request, w.by(indexCertificate, func(o client.Object) string { return ownerOf(o).Name })),
	}
}

// ownerOf returns the reference to the Certificate that controls a
// CertificateRequest; the zero value if none does.
func ownerOf(o client.Object) metav1.OwnerReference {
	owner := metav1.GetControllerOf(o)
	if owner == nil || owner.Kind != certmanagerv1.CertificateKind || group(owner.APIVersion) != certmanagerv1.SchemeGroupVersion.Group {
		return metav1.OwnerReference{}
	}
	return *owner
}

// group is the group of an apiVersion.
func group(apiVersion string) string {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return ""
	}
	return gv.Group
}
