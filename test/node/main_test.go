//go:build e2e

package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lanyard-dev/lanyard/hack/cluster"
	"github.com/lanyard-dev/lanyard/hack/image"
)

// stateVariable is the environment's word for where the state is kept: the caller's, who removes
// what is left if the tests are killed.
const stateVariable = "LANYARD_NODE_TEST_STATE"

// world is what all tests use.
type world struct {
	dir    string
	node   *cluster.Node
	assets cluster.NodeAssets
}

func (w *world) state() string          { return filepath.Join(w.dir, "node") }
func (w *world) clusterCommand() string { return filepath.Join(w.dir, "cluster") }

var shared world

func TestMain(m *testing.M) {
	err := shared.start(context.Background())
	if err == nil {
		m.Run() // the testing package keeps its exit code
	}
	if removed := cluster.RemoveNode(context.Background(), shared.state()); removed != nil {
		fmt.Fprintln(os.Stderr, "removing the node:", removed)
	}
	_ = os.RemoveAll(shared.dir) // it holds binaries
	if err != nil {
		panic(err) // returning would let the tests pass unrun
	}
}

func (w *world) start(ctx context.Context) (err error) {
	if w.dir = os.Getenv(stateVariable); w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "lanyard-node-"); err != nil {
			return err
		}
		// This process begins anew inside the node's network, and is to find the same folder.
		if err := os.Setenv(stateVariable, w.dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return err
	}
	// What may need the module proxy, to which there is no way from the node's network.
	if w.assets, err = cluster.BuildNode(ctx, os.Stderr); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", w.clusterCommand(), "../../hack/cluster/cmd/cluster")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := cluster.EnterNode(ctx, w.state()); err != nil {
		return err
	}
	if w.node, err = cluster.StartNode(ctx, cluster.NodeOptions{StateDir: w.state(), Assets: w.assets, Progress: os.Stderr}); err != nil {
		return err
	}
	return w.importShell(ctx)
}

// importShell makes an image of the machine's own static shell.
func (w *world) importShell(ctx context.Context) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("%w: install busybox-static", err)
	}
	path := filepath.Join(w.dir, "shell.tar")
	archive, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	if err := image.Write(archive, "shell:1", map[string]string{"/busybox": busybox}, image.Options{}); err != nil {
		return err
	}
	return w.node.Import(ctx, path)
}
