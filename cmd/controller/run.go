package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/approle"
	"github.com/lanyard-dev/lanyard/controllers/approleassignment"
	"github.com/lanyard-dev/lanyard/controllers/caroots"
	"github.com/lanyard-dev/lanyard/controllers/clientcertificate"
	"github.com/lanyard-dev/lanyard/controllers/clientsecret"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/oauthclient"
	"github.com/lanyard-dev/lanyard/controllers/pod"
	"github.com/lanyard-dev/lanyard/controllers/protectedresource"
	"github.com/lanyard-dev/lanyard/controllers/signingkeys"
	"github.com/lanyard-dev/lanyard/controllers/tokenrevocation"
	"github.com/lanyard-dev/lanyard/controllers/webhook"
)

// lease is the name of the Lease. The leader renews it every leaseRetry, so that the
// issuer can read from it how far behind its watches are.
const (
	lease         = "lanyard-controller"
	leaseRetry    = 2 * time.Second
	leaseDeadline = 10 * time.Second
	leaseDuration = 15 * time.Second
)

// Run works until --shutdown-delay after the end of ctx, or until the Lease is lost. It logs to w.
func Run(ctx context.Context, o Options, w io.Writer) error {
	level, err := o.level()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	klog.SetSlogLogger(log) // what client-go says

	config, err := loadConfig(o.Kubeconfig)
	if err != nil {
		return err
	}
	if err := awaitAPIServer(ctx, config, o.HealthListen, log); err != nil || ctx.Err() != nil {
		return err
	}
	manager, err := newManager(config, o)
	if err != nil {
		return err
	}
	ending := func(*http.Request) error { return ctx.Err() }
	if err := errors.Join(setUp(ctx, manager, o), setUpWebhooks(ctx, manager, o), manager.AddReadyzCheck("ending", ending)); err != nil {
		return err
	}
	if o.WebhookListen == "0" { // nobody asks anything
		o.ShutdownDelay = 0
	}
	serving, stop := outlive(ctx, o.ShutdownDelay)
	defer stop()
	return manager.Start(serving)
}

// loadConfig says where the API server is, and as whom to speak to it.
func loadConfig(kubeconfig string) (config *rest.Config, err error) {
	if kubeconfig == "" {
		if config, err = rest.InClusterConfig(); err != nil {
			return nil, fmt.Errorf("not in a pod, and neither --kubeconfig nor $KUBECONFIG is given: %w", err)
		}
	} else if config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return nil, fmt.Errorf("--kubeconfig=%s: %w", kubeconfig, err)
	}
	config.UserAgent = lease
	config.QPS = -1 // the API server's own priority and fairness knows better what is too much
	return config, nil
}

func newManager(config *rest.Config, o Options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), certmanagerv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	retry, deadline, duration := leaseRetry, leaseDeadline, leaseDuration
	return ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{
			DefaultTransform: clientcertificate.StripUnused,
			ByObject:         map[client.Object]cache.ByObject{&v1alpha1.TokenRevocation{}: tokenrevocation.Cached(o.Namespace)},
		},
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsListen},
		HealthProbeBindAddress:        o.HealthListen,
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              lease,
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true, // the process ends right after
		LeaseDuration:                 &duration,
		RenewDeadline:                 &deadline,
		RetryPeriod:                   &retry,
	})
}

// setUp adds every controller to the manager.
func setUp(ctx context.Context, mgr ctrl.Manager, o Options) error {
	metrics := ctrlmetrics.Registry
	return errors.Join(
		index.Register(ctx, mgr),
		oauthclient.SetupWithManager(mgr, oauthclient.Config{Now: time.Now, ClusterDomain: o.ClusterDomain}),
		protectedresource.SetupWithManager(mgr, protectedresource.Config{Now: time.Now, ClusterDomain: o.ClusterDomain}),
		approle.SetupWithManager(mgr, approle.Config{Now: time.Now, ClusterDomain: o.ClusterDomain}),
		approleassignment.SetupWithManager(mgr, approleassignment.Config{Now: time.Now, ClusterDomain: o.ClusterDomain}),
		clientcertificate.SetupWithManager(mgr, clientcertificate.Config{ //nolint:contextcheck // it registers indexes, which waits for nothing
			Policy: clientcertificate.Policy{
				AllowedIssuers:      o.AllowedIssuers,
				CertManagerUsername: o.CertManagerUsername,
				TrustDomain:         o.TrustDomain,
			},
			Now:        time.Now,
			Registerer: metrics,
		}),
		signingkeys.SetupWithManager(mgr, signingkeys.Config{
			Namespace: o.Namespace, SecretName: o.SigningKeySecret, Schedule: o.schedule(), Now: time.Now, Random: rand.Reader, Metrics: metrics,
		}),
		clientsecret.SetupWithManager(mgr, clientsecret.Config{Enabled: o.ClientSecrets, Now: time.Now, Random: rand.Reader}),
		caroots.SetupWithManager(mgr, caroots.Config{
			Namespace: o.Namespace, Bundle: o.CABundle, Now: time.Now, Log: slog.New(logr.ToSlogHandler(mgr.GetLogger())), Metrics: metrics,
		}),
		pod.SetupWithManager(mgr, pod.Config{Now: time.Now, Metrics: metrics}),
		tokenrevocation.SetupWithManager(mgr, tokenrevocation.Config{Now: time.Now, Metrics: metrics}),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		// A replica that waits for the Lease is ready too: it can take over at once.
		mgr.AddReadyzCheck("caches", webhook.CachesFilled(mgr.GetCache())),
	)
}
