package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// build makes what is missing or has changed: the cluster's binaries in the cache, Lanyard's
// own programs in the state folder.
func (d *Demo) build(ctx context.Context) error {
	if d.assets.Dir == "" {
		assets, err := cluster.Build(ctx, d.tell.progress())
		if err != nil {
			return err
		}
		d.assets = assets
	}
	begun := time.Now()
	// With the flags of `go run`, so that what this very program was compiled from is not
	// compiled again.
	args := []string{"build", "-o", d.path("bin") + string(os.PathSeparator), "./cmd/controller", "./cmd/issuer", "./cmd/kubectl-lanyard", "./test/orders/cmd/orders"}
	d.tell.line("building Lanyard's controller, issuer and kubectl plugin, and the orders API; from nothing on 2 cores this takes about 20s")
	err := d.tell.working("building", func() error {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = d.root
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // killed, it would leave its compilers behind
		cmd.WaitDelay = 5 * time.Second
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, output.String())
		}
		return nil
	})
	if err == nil {
		d.tell.line("built, %s", time.Since(begun).Round(100*time.Millisecond))
	}
	return err
}

// fingerprint tells one build of a program from another.
func fingerprint(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}
