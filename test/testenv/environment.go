package testenv

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// Options say what runs beside the API server. The zero value is the API server
// with Lanyard's kinds alone.
type Options struct {
	// CertManager installs and runs cert-manager, with the ClusterIssuer WorkloadCA.
	CertManager bool
	// ControllerManager runs kube-controller-manager: service accounts, garbage
	// collection, deletion of namespaces.
	ControllerManager bool
	// Admission installs Lanyard's permissions, policies and webhooks, and runs
	// cmd/controller as a process that answers them and reconciles, as its own service
	// account; see [Controller]. It implies ControllerManager.
	Admission bool
	// ServiceAccounts has the API server itself look after the service accounts of pods, as
	// every cluster's does: a pod needs one that is there, and gets its token.
	ServiceAccounts bool
	// Log takes what the processes and the controllers write; nil: nobody, and a failed
	// start says the end of it.
	Log io.Writer
}

// Environment is a running control plane.
type Environment struct {
	// Config is the administrator's.
	Config *rest.Config
	// Client is the administrator's; it reads the API server, not a cache.
	Client client.Client
	// Scheme knows Kubernetes' own kinds, Lanyard's and cert-manager's.
	Scheme *runtime.Scheme
	// Root is the folder of the checkout.
	Root string
	// Controller is there with Options.Admission.
	Controller *Controller

	envtest *envtest.Environment
	assets  cluster.Assets
	dir     string
	log     io.Writer
	stops   []func() error
}

// startTimeout bounds the start on a machine that is busy with other things; it
// does not bound the build of the binaries.
const startTimeout = 3 * time.Minute

// Main starts an environment, puts it in *env, runs the tests of m, and stops it.
// TestMain has nothing more to do. While fuzzing there is no environment: every
// worker would start one.
func Main(m *testing.M, env **Environment, opts Options) {
	flag.Parse()
	if fuzzed := flag.Lookup("test.fuzz"); fuzzed != nil && fuzzed.Value.String() != "" {
		m.Run()
		return
	}
	e, err := Start(context.Background(), opts)
	if err != nil {
		panic(fmt.Sprintf("testenv: %v", err)) // returning would let the tests pass unrun
	}
	*env = e
	m.Run() // the testing package keeps its exit code
	if err := e.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
	}
}

// New starts an environment for one test, which needs a cluster to itself.
func New(t *testing.T, opts Options) *Environment {
	t.Helper()
	e, err := Start(context.Background(), opts) // outlives t.Context(), until the cleanup
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// Start starts an environment. Stop ends it.
func Start(ctx context.Context, opts Options) (e *Environment, err error) {
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	assets, err := findAssets(ctx)
	if err != nil {
		return nil, err
	}
	e = &Environment{Scheme: newScheme(), Root: root, assets: assets, log: opts.Log}
	if e.log == nil {
		e.log = io.Discard
	}
	logf.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(e.log, nil)))
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Stop())
			e = nil
		}
	}()
	if e.dir, err = os.MkdirTemp("", "lanyard-testenv-"); err != nil {
		return e, err
	}
	e.envtest = &envtest.Environment{
		BinaryAssetsDirectory:    assets.Dir,
		CRDDirectoryPaths:        []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing:    true,
		Scheme:                   e.Scheme,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	if opts.ServiceAccounts { // envtest switches that off
		e.envtest.ControlPlane.GetAPIServer().Configure().Disable("disable-admission-plugins")
	}
	if e.Config, err = e.envtest.Start(); err != nil {
		return e, fmt.Errorf("starting etcd and kube-apiserver: %w", err)
	}
	e.Config.QPS = -1 // the server is ours
	if e.Client, err = client.New(e.Config, client.Options{Scheme: e.Scheme}); err != nil {
		return e, err
	}
	if opts.CertManager {
		if err := e.StartCertManager(ctx); err != nil {
			return e, err
		}
	}
	// Last: the garbage collector learns of kinds that come later only after half a minute.
	if opts.ControllerManager || opts.Admission {
		if err := e.startControllerManager(ctx); err != nil {
			return e, err
		}
	}
	if opts.Admission {
		if err := e.startAdmission(ctx); err != nil {
			return e, err
		}
	}
	return e, nil
}

// Stop ends everything that Start began.
func (e *Environment) Stop() error {
	var errs []error
	for _, stop := range slices.Backward(e.stops) {
		errs = append(errs, stop())
	}
	e.stops = nil
	if e.envtest != nil {
		errs = append(errs, e.envtest.Stop())
	}
	if e.dir != "" {
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}

// newScheme knows every kind that tests and controllers use.
func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, certmanagerv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err) // a programming error: two kinds of one name
		}
	}
	return s
}

// findAssets takes the binaries that make passes, and builds them if it passes none.
func findAssets(ctx context.Context) (cluster.Assets, error) {
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		assets, err := cluster.Build(ctx, os.Stderr)
		if err != nil {
			return assets, fmt.Errorf("the binaries of the control plane: %w; run the tests with make test", err)
		}
		return assets, nil
	}
	assets := cluster.Assets{Dir: dir, CRDs: filepath.Join(dir, "crds")}
	for _, path := range []string{
		assets.CRDs, assets.Path("etcd"), assets.Path("kube-apiserver"),
		assets.Path("kube-controller-manager"), assets.Path("certmanager-controllers"),
	} {
		if _, err := os.Stat(path); err != nil {
			return assets, fmt.Errorf("KUBEBUILDER_ASSETS=%s has no %s; run the tests with make test, or unset it", dir, filepath.Base(path))
		}
	}
	return assets, nil
}

// findRoot returns the folder of the checkout: go test runs in the folder of the package.
func findRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "config", "crd", "bases")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of lanyard: there is no config/crd/bases in it or above it", start)
		}
	}
}
