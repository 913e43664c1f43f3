// Command certmanager-controllers runs cert-manager's own controllers and its CA injector, as
// its library has them, for the local cluster of hack/cluster. It leaves out what needs the outside world
// (ACME, Vault, Venafi, gateways), and leader election, because there is only one of it.
//
// What cert-manager's webhook does, and hence this command does not, hack/cluster does with
// admission policies: see policies.yaml there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	// Each registers its controller, or its issuer, with cert-manager's registry.
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// workersPerController is cert-manager's own default.
const workersPerController = 5

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "certmanager-controllers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	// As many requests a second as the tests and the demo ask for: the API server is ours.
	opts := controller.ContextOptions{KubernetesAPIQPS: 500, KubernetesAPIBurst: 1000}
	flags := flag.NewFlagSet("certmanager-controllers", flag.ContinueOnError)
	klog.InitFlags(flags)
	flags.StringVar(&opts.Kubeconfig, "kubeconfig", "", "path of the kubeconfig (required)")
	flags.StringVar(&opts.IssuerOptions.ClusterResourceNamespace, "cluster-resource-namespace", "cert-manager",
		"namespace of the Secrets that ClusterIssuers name")
	flags.DurationVar(&opts.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration",
		2*time.Second, "wait after a first failed request; cert-manager's own default of 1h is for real CAs")
	flags.DurationVar(&opts.CertificateRequestMaximumBackoffDuration, "certificate-request-maximum-backoff-duration",
		10*time.Second, "longest wait after repeated failures")
	readyFile := flags.String("ready-file", "", "path of a file to make once the controllers know the cluster's objects")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if opts.Kubeconfig == "" {
		return errors.New("--kubeconfig is missing: give the path of a kubeconfig")
	}
	logf.InitLogs()
	defer logf.FlushLogs()
	ctx = logf.NewContext(ctx, logf.Log)
	return runControllers(ctx, opts, *readyFile)
}

// runControllers runs every registered controller until ctx ends or the first one fails.
func runControllers(ctx context.Context, opts controller.ContextOptions, readyFile string) error {
	factory, err := controller.NewContextFactory(ctx, opts)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	injector, err := newInjector(running, shared.RESTConfig)
	if err != nil {
		return fmt.Errorf("constructing the CA injector: %w", err)
	}

	var group sync.WaitGroup
	for name, construct := range controller.Known() {
		c, err := construct(factory)
		if err != nil {
			return fmt.Errorf("constructing the controller %s: %w", name, err)
		}
		group.Go(func() {
			if err := c.Run(workersPerController, running); err != nil {
				fail(fmt.Errorf("controller %s: %w", name, err))
			}
		})
	}
	group.Go(func() {
		if err := injector.Start(running); err != nil {
			fail(fmt.Errorf("the CA injector: %w", err))
		}
	})
	shared.SharedInformerFactory.Start(running.Done())
	shared.KubeSharedInformerFactory.Start(running.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(running.Done())
	if err := waitForCaches(running, shared, injector); err != nil {
		return err
	}
	if readyFile != "" {
		if err := os.WriteFile(readyFile, nil, 0o600); err != nil {
			return err
		}
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil // asked to stop
	}
	return context.Cause(running)
}

// waitForCaches returns when every informer has seen what there is.
func waitForCaches(ctx context.Context, shared *controller.Context, injector ctrl.Manager) error {
	for informer, synced := range shared.SharedInformerFactory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("the cache of %s is not filled: %w", informer, context.Cause(ctx))
		}
	}
	for informer, synced := range shared.KubeSharedInformerFactory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("the cache of %s is not filled: %w", informer, context.Cause(ctx))
		}
	}
	if !injector.GetCache().WaitForCacheSync(ctx) {
		return fmt.Errorf("the cache of the CA injector is not filled: %w", context.Cause(ctx))
	}
	return nil
}
