package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
)

var (
	podsResource            = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	serviceAccountsResource = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	namespacesResource      = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	secretsResource         = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	leasesResource          = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

	errUnexpectedType = errors.New("the API server sent an object of another type")
	errNoRing         = errors.New("data has no readable " + keyring.SecretKey)
)

// revocationsPlural is how the API calls TokenRevocations.
const revocationsPlural = "tokenrevocations"

// unfinished selects the pods that can still ask for tokens.
const unfinished = "status.phase!=Succeeded,status.phase!=Failed"

// Config is what a Cluster needs.
type Config struct {
	// REST says where the API server is.
	REST *rest.Config
	// Registry to feed.
	Registry *registry.Registry
	// Keys takes the signing keys.
	Keys SigningKeys
	// Namespace, SigningKeySecret and ControllerLease name the Secret with the
	// signing keys and the controller's Lease. Revocations are kept in Namespace, too.
	Namespace, SigningKeySecret, ControllerLease string
	// ServiceAccountIssuers are issuers of service account tokens beside the one
	// that the API server names, while a cluster changes its own. All use the
	// cluster's keys.
	ServiceAccountIssuers []string
	// MaxStaleness is how long to go on from memory without hearing of the API server.
	MaxStaleness time.Duration
	// Now is the clock.
	Now func() time.Time
	// Log takes what an operator should know.
	Log *slog.Logger
	// Metrics is where the metrics are registered.
	Metrics prometheus.Registerer
}

// SigningKeys takes the signing keys as they change.
type SigningKeys interface {
	// Set replaces the keys. An error leaves those that were set before.
	Set(ring keyring.Ring) error
	// Ready says whether a key can sign.
	Ready(now time.Time) bool
}

// Cluster is what the issuer knows of its cluster. Use New, then Run.
type Cluster struct {
	// Keys are the keys of the cluster's service account tokens.
	Keys *ClusterKeys
	// Workloads tells which pods and service accounts live.
	Workloads *Workloads
	// Revocations stores revoked tokens.
	Revocations *Revocations

	cfg Config
	// feeds decide readiness and staleness; the Lease, which only measures, is apart.
	feeds []*feed
	lease *feed
}

// New prepares the watches. Nothing is read before Run.
func New(cfg Config) (*Cluster, error) {
	d, err := dynamic.NewForConfig(cfg.REST)
	if err != nil {
		return nil, fmt.Errorf("kube: %w", err)
	}
	m, err := metadata.NewForConfig(cfg.REST)
	if err != nil {
		return nil, fmt.Errorf("kube: %w", err)
	}
	keys, err := newClusterKeys(cfg.REST, cfg.ServiceAccountIssuers, cfg.Now, cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("kube: %w", err)
	}
	c := &Cluster{cfg: cfg, Keys: keys}
	stats := newMetrics(cfg.Metrics, c.staleness)
	c.Workloads = newWorkloads(d, m, stats, cfg.Now)

	r := cfg.Registry
	kinds := []struct {
		kind, plural string
		apply        apply
		remove       func(namespace, name string)
	}{
		{"OAuthClient", "oauthclients", applyClient(r), r.DeleteClient},
		{"ClientCertificate", "clientcertificates", applyCertificate(r), r.DeleteCertificate},
		{"ProtectedResource", "protectedresources", applyResource(r), r.DeleteResource},
		{"AppRole", "approles", applyRole(r), r.DeleteRole},
		{"AppRoleAssignment", "approleassignments", applyAssignment(r), r.DeleteAssignment},
	}
	for _, k := range kinds {
		c.add(stats, k.kind, c.objects(stats, k.kind, k.apply, k.remove), whole(d.Resource(v1alpha1.SchemeGroupVersion.WithResource(k.plural)), ""))
	}
	revocations := c.objects(stats, "TokenRevocation", applyRevocation(r), r.DeleteRevocation)
	c.add(stats, "TokenRevocation", revocations, whole(d.Resource(v1alpha1.SchemeGroupVersion.WithResource(revocationsPlural)).Namespace(cfg.Namespace), ""))
	c.Revocations = newRevocations(d, cfg.Namespace, r, revocations.put)
	c.add(stats, "Namespace", c.objects(stats, "Namespace", applyNamespace(r), func(_, name string) { r.DeleteNamespace(name) }),
		metadataOf(m.Resource(namespacesResource), ""))
	c.add(stats, "Pod", c.Workloads.pods, metadataOf(m.Resource(podsResource), unfinished))
	c.add(stats, "ServiceAccount", c.Workloads.accounts, metadataOf(m.Resource(serviceAccountsResource), ""))
	c.add(stats, "Secret", &signingKeys{set: cfg.Keys.Set, log: cfg.Log},
		whole(d.Resource(secretsResource).Namespace(cfg.Namespace), named(cfg.SigningKeySecret)))

	lease := whole(d.Resource(leasesResource).Namespace(cfg.Namespace), named(cfg.ControllerLease))
	c.lease = &feed{kind: "Lease", sink: &heartbeat{delay: stats.watchDelay, now: cfg.Now}, list: lease.list, watch: lease.watch, now: cfg.Now}
	return c, nil
}

func (c *Cluster) objects(stats *metrics, kind string, apply apply, remove func(namespace, name string)) *objects {
	return &objects{
		kind: kind, apply: apply, remove: remove, log: c.cfg.Log,
		known:   map[types.NamespacedName]struct{}{},
		skipped: stats.skipped.WithLabelValues(kind),
	}
}

func (c *Cluster) add(stats *metrics, kind string, to sink, from source) {
	c.feeds = append(c.feeds, &feed{
		kind: kind, sink: to, list: from.list, watch: from.watch, now: c.cfg.Now,
		delay: stats.propagation.WithLabelValues(kind),
	})
}

// Run feeds until ctx ends.
func (c *Cluster) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { c.Keys.run(ctx) })
	wg.Go(func() { c.lease.run(ctx) })
	wg.Go(func() { c.Revocations.run(ctx) })
	for _, f := range c.feeds {
		wg.Go(func() { f.run(ctx) })
	}
	wg.Wait()
}

// Ready says whether requests can be answered: nil, ErrNotReady before everything
// was read once, or ErrStale once the API server has not been heard of for too long.
func (c *Cluster) Ready() *oauth.Error {
	now := c.cfg.Now()
	for _, f := range c.feeds {
		if !f.synced.Load() {
			return notReady("cache_not_synced", f.kind)
		}
	}
	if c.Keys.state.Load() == nil {
		return notReady("service_account_keys_missing", "the cluster's service account keys")
	}
	if !c.cfg.Keys.Ready(now) {
		return notReady("signing_key_missing", "a signing key")
	}
	// The keys are fetched every few minutes; their age is no sign of silence until
	// that has failed for as long.
	keysAge, _ := c.Keys.contact.ago(now)
	if max(c.staleness(), keysAge) > c.cfg.MaxStaleness {
		e := oauth.NewError(oauth.ErrStale, "")
		e.Reason = "stale"
		return e
	}
	return nil
}

func notReady(reason, waitingFor string) *oauth.Error {
	e := oauth.NewError(oauth.ErrNotReady, "").WithCause(errors.New("waiting for " + waitingFor))
	e.Reason = reason
	return e
}

// staleness is how long the worst watch has not heard of the API server; zero
// before it ever did.
func (c *Cluster) staleness() (worst time.Duration) {
	now := c.cfg.Now()
	for _, f := range c.feeds {
		if d, ok := f.contact.ago(now); ok {
			worst = max(worst, d)
		}
	}
	return worst
}

// source is where a feed reads from.
type source struct {
	list  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error)
	watch func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

func named(name string) string { return fields.OneTermEqualSelector("metadata.name", name).String() }

// whole reads whole objects, each to be decoded on its own.
func whole(r dynamic.ResourceInterface, selector string) source {
	return source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return r.List(ctx, o)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return r.Watch(ctx, o)
		},
	}
}

// metadataOf reads metadata alone.
func metadataOf(r metadata.Getter, selector string) source {
	return source{
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return r.List(ctx, o)
		},
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return r.Watch(ctx, o)
		},
	}
}
