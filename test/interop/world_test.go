//go:build e2e

package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// world is everything that the clients of other makers meet.
type world struct {
	root    string // of the checkout
	dir     string // of the state
	assets  cluster.Assets
	cluster *cluster.Cluster
	kube    client.Client
	ca      authority
	issuer  string // URL
	orders  string // URL of the orders API
	logOf   string // the test whose part of the issuer's log is noted
}

// lanyard is the one that serves all tests.
var lanyard *world

// startTimeout bounds the start on a machine that is busy with other things; it does not bound
// the build of the control plane.
const startTimeout = 5 * time.Minute

func TestMain(m *testing.M) {
	w, err := newWorld()
	if err == nil {
		err = w.start(context.Background())
	}
	if err == nil {
		lanyard = w
		m.Run() // the testing package keeps its exit code
	}
	if stopped := w.stop(); stopped != nil {
		fmt.Fprintln(os.Stderr, "interop:", stopped)
	}
	if err != nil {
		panic(fmt.Sprintf("interop: %v", err)) // returning would let the tests pass unrun
	}
}

// newWorld keeps its state in the folder that hack/e2e.sh gives it, or in one of its own.
func newWorld() (*world, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	dir := os.Getenv("LANYARD_E2E_STATE")
	if dir == "" {
		dir, err = os.MkdirTemp("", "lanyard-interop-")
	}
	return &world{root: root, dir: dir}, err
}

func (w *world) start(ctx context.Context) (err error) {
	if w.assets, err = cluster.Build(ctx, os.Stderr); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for name, url := range map[string]*string{"issuer": &w.issuer, "orders": &w.orders} {
		port, err := cluster.Port(w.dir, name)
		if err != nil {
			return err
		}
		*url = "https://" + address(port)
	}
	if err := errors.Join(w.makeServerCertificate(), w.writeAuthenticationConfig(), w.build(ctx)); err != nil {
		return err
	}
	w.cluster, err = cluster.Start(ctx, cluster.Options{
		StateDir: w.dir, Assets: w.assets, AuthenticationConfig: w.path("authentication.yaml"), Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	if err := w.connect(); err != nil {
		return err
	}
	if err := w.install(ctx); err != nil {
		return err
	}
	if err := w.startPrograms(ctx); err != nil {
		return err
	}
	return w.declare(ctx)
}

// stop ends every process of the state folder.
func (w *world) stop() error {
	if w == nil || w.dir == "" {
		return nil
	}
	var errs []error
	if c, err := cluster.Open(w.dir); err == nil {
		errs = append(errs, c.Stop(context.Background(), os.Stderr))
	}
	if os.Getenv("LANYARD_E2E_STATE") == "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

func (w *world) connect() error {
	config, err := w.cluster.RESTConfig()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	w.kube, err = client.New(config, client.Options{Scheme: scheme, Log: logr.New(ctrllog.NullLogSink{})})
	return err
}

// writeAuthenticationConfig has kube-apiserver trust an issuer that does not run yet: it asks
// for its keys until it has them.
func (w *world) writeAuthenticationConfig() error {
	template, err := os.ReadFile("manifests/authentication.yaml")
	if err != nil {
		return err
	}
	ca := strings.ReplaceAll(strings.TrimSpace(string(w.ca.pem)), "\n", "\n      ")
	filled := strings.NewReplacer("${ISSUER}", w.issuer, "${CA}", ca).Replace(string(template))
	return os.WriteFile(w.path("authentication.yaml"), []byte(filled), 0o600)
}

// path is the path of something in the state folder.
func (w *world) path(elements ...string) string {
	return filepath.Join(append([]string{w.dir}, elements...)...)
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
