//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/hack/cluster"
	"github.com/lanyard-dev/lanyard/hack/image"
)

const (
	systemNamespace = "lanyard-system"
	issuerURL       = "https://lanyard-issuer.lanyard-system.svc"
	lanyardImage    = "lanyard:dev"
	appImage        = "lanyard-e2e-app:dev"

	// startTimeout bounds the start on a machine that is busy with other things; it does not bound
	// what is built before.
	startTimeout = 5 * time.Minute

	// In the environment: a node that runs already and is left running; where to keep the state.
	nodeVariable  = "LANYARD_NODE"
	stateVariable = "LANYARD_E2E_STATE"
)

// world is a node with Lanyard on it, and the orders API.
type world struct {
	root string // of the checkout
	dir  string // of what the tests keep: binaries, images
	// nodeDir is the node's folder; kept says that somebody else started it.
	nodeDir string
	kept    bool

	node      *cluster.Node
	kube      client.Client
	clientset kubernetes.Interface
	ca        []byte // of the servers' certificates, PEM
	notes     string // what helm install said

	running sync.WaitGroup // the tests that run beside others
	shared  shared
}

// newWorld says where things are.
func newWorld() (*world, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("these tests start containers, and a network of their own for them: run make e2e as root")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	if kept := os.Getenv(nodeVariable); kept != "" {
		if !filepath.IsAbs(kept) { // as typed at the checkout's root
			kept = filepath.Join(root, kept)
		}
		return &world{root: root, nodeDir: kept, dir: filepath.Join(kept, "e2e"), kept: true}, nil
	}
	dir := os.Getenv(stateVariable)
	if dir == "" {
		if dir, err = os.MkdirTemp("", "lanyard-e2e-"); err != nil {
			return nil, err
		}
		// This process begins anew inside the node's network, and is to find the same folder.
		if err := os.Setenv(stateVariable, dir); err != nil {
			return nil, err
		}
	}
	return &world{root: root, nodeDir: filepath.Join(dir, "node"), dir: filepath.Join(dir, "e2e")}, nil
}

func (w *world) start(ctx context.Context) error {
	if err := w.build(ctx); err != nil { // may need the module proxy, which the node's network has no way to
		return err
	}
	if err := cluster.EnterNode(ctx, w.nodeDir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"start the node", w.startNode},
		{"import the images", w.importImages},
		{"what the platform has beside Lanyard", w.applyPlatform},
		{"helm install", func(ctx context.Context) error { return w.helmInstall(ctx) }},
		{"the orders API", w.applyOrders},
	} {
		begun := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Fprintf(os.Stderr, "%5.1f s  %s\n", time.Since(begun).Seconds(), step.name)
	}
	return nil
}

// stop takes the node down, unless it is somebody else's.
func (w *world) stop() error {
	if w == nil || w.node == nil {
		return nil
	}
	if w.kept {
		return w.leaveNothing(context.Background())
	}
	err := errors.Join(w.node.Down(context.Background()), os.RemoveAll(w.dir))
	_ = os.Remove(filepath.Dir(w.dir)) // if there is nothing of somebody else in it
	return err
}

func (w *world) startNode(ctx context.Context) (err error) {
	if w.kept {
		w.node, err = cluster.LoadNode(w.nodeDir)
	} else {
		w.node, err = cluster.StartNode(ctx, cluster.NodeOptions{StateDir: w.nodeDir, Progress: os.Stderr})
	}
	if err != nil {
		return err
	}
	config := w.node.Config()
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if w.clientset, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	w.kube, err = client.New(config, client.Options{Scheme: scheme, Log: logr.New(ctrllog.NullLogSink{})})
	return err
}

// build makes the node's programs, Lanyard's as they are shipped, and the apps.
func (w *world) build(ctx context.Context) error {
	if _, err := cluster.BuildNode(ctx, os.Stderr); err != nil {
		return err
	}
	if _, err := w.run(ctx, nil, "hack/build.sh", w.bin("lanyard")); err != nil {
		return err
	}
	if _, err := w.run(ctx, nil, "hack/tools/run", "helm", "version"); err != nil {
		return err
	}
	_, err := w.run(ctx, nil, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-o", w.bin("app")+"/", "./test/e2e/app/cmd/caller", "./test/orders/cmd/orders")
	return err
}

// bin is where built programs are, of the image of that name.
func (w *world) bin(name string) string { return filepath.Join(w.dir, "bin", name) }

func (w *world) importImages(ctx context.Context) error {
	return errors.Join(w.importImage(ctx, lanyardImage, w.bin("lanyard")), w.importImage(ctx, appImage, w.bin("app")))
}

// importImage gives the node an image of the programs in a folder.
func (w *world) importImage(ctx context.Context, name, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	binaries := map[string]string{}
	for _, entry := range entries {
		binaries["/"+entry.Name()] = filepath.Join(folder, entry.Name())
	}
	archive := folder + ".tar"
	if err := writeImage(archive, name, binaries); err != nil {
		return err
	}
	return w.node.Import(ctx, archive)
}

func writeImage(archive, name string, binaries map[string]string) (err error) {
	file, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return image.Write(file, name, binaries, image.Options{})
}

// run runs a program in the checkout, with stdin, and returns what it printed.
func (w *world) run(ctx context.Context, stdin []byte, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = w.root
	if w.node != nil {
		cmd.Env = append(os.Environ(), "KUBECONFIG="+w.node.Kubeconfig(), "KUBECACHEDIR="+filepath.Join(w.dir, "kubectl-cache"))
	}
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %.200q: %w\n%s", filepath.Base(name), args, err, stderr.String())
	}
	return stdout.String(), nil
}
