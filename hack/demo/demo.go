package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// Options say where a demo lives and what it is told with.
type Options struct {
	// Root is the folder of the checkout.
	Root string
	// StateDir keeps everything that the demo is; relative to Root.
	StateDir string
	// Assets are the cluster's binaries; if Dir is empty they are built.
	Assets cluster.Assets
	// Out takes progress and story; nil tells nobody.
	Out io.Writer
	// Colour is for terminals.
	Colour bool
}

// Demo is a demo in a state folder.
type Demo struct {
	root string
	// dir is the absolute state folder; shown is how it is called in lines to type.
	dir, shown string
	assets     cluster.Assets
	cluster    *cluster.Cluster
	kube       client.Client
	tell       *teller
	// person is who kubectl acts as; empty: the administrator.
	person string
}

// marker stands in every demo's folder: without it a folder is a stranger's, and neither used
// nor removed.
const marker = "lanyard-demo"

func newDemo(o Options) (*Demo, error) {
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, err
	}
	dir := o.StateDir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	shown, err := filepath.Rel(root, dir)
	if err != nil || strings.HasPrefix(shown, "..") {
		shown = dir
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return &Demo{root: root, dir: dir, shown: shown, assets: o.Assets, tell: &teller{out: o.Out, colour: o.Colour}}, nil
}

// Start makes sure that everything of a demo runs and is ready: the cluster, what the platform's
// team installs on it, and Lanyard's programs. The processes outlive the caller. An error says
// which part did not start, and what to do.
//
// release ends the caller's sole use of the state folder.
func Start(ctx context.Context, o Options) (d *Demo, release func(), err error) {
	if d, err = newDemo(o); err != nil {
		return nil, nil, err
	}
	if err := d.claim(); err != nil {
		return nil, nil, err
	}
	if release, err = d.lock(); err != nil {
		return nil, nil, err
	}
	if err := d.start(ctx); err != nil {
		release()
		return nil, nil, err
	}
	return d, release, nil
}

func (d *Demo) start(ctx context.Context) error {
	begun := time.Now()
	d.tell.chapter("Starting", "")
	if err := d.build(ctx); err != nil {
		return err
	}
	var err error
	d.cluster, err = cluster.Start(ctx, cluster.Options{StateDir: d.dir, Assets: d.assets, Progress: d.tell.progress()})
	if err != nil {
		return fmt.Errorf("the local cluster: %w", err)
	}
	if err := d.connect(); err != nil {
		return err
	}
	if err := d.install(ctx); err != nil {
		return err
	}
	if err := d.runPrograms(ctx); err != nil {
		return err
	}
	d.tell.line("everything runs, %s after the start", time.Since(begun).Round(100*time.Millisecond))
	return nil
}

func (d *Demo) connect() error {
	config, err := d.cluster.RESTConfig()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	d.kube, err = client.New(config, client.Options{Scheme: scheme, Log: logr.New(ctrllog.NullLogSink{})})
	return err
}

// claim makes the state folder, or sees that it is a demo's.
func (d *Demo) claim() error {
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return d.ours()
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(d.path(marker), []byte("The state of hack/demo. `make demo-down` ends its processes and removes it.\n"), 0o600)
}

// ErrNoDemo is the error of [Open] where no demo was started.
var ErrNoDemo = errors.New("there is no demo")

// ours is nil if the state folder is a demo's.
func (d *Demo) ours() error {
	if _, err := os.Stat(d.dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w in %s: start one with make demo", ErrNoDemo, d.dir)
	}
	if _, err := os.Stat(d.path(marker)); err != nil {
		return fmt.Errorf("%s is there and is not the folder of a demo (it has no file %s): move it away, or name another with --state", d.dir, marker)
	}
	return nil
}

// path is the path of something in the state folder.
func (d *Demo) path(elements ...string) string {
	return filepath.Join(append([]string{d.dir}, elements...)...)
}

// typed is the same as a person in the checkout would type it.
func (d *Demo) typed(elements ...string) string {
	return filepath.Join(append([]string{d.shown}, elements...)...)
}
