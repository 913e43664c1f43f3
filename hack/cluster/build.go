package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// binary is one program to build.
type binary struct {
	name string
	// module is the folder below build whose go.mod pins it.
	module string
	// pkg is the package to build.
	pkg string
	// usual is how long a cold build takes on 2 cores, given those before it in the list.
	usual time.Duration
}

// set is what is built into one folder of the cache.
type set struct {
	// prefix of the folder's name.
	prefix string
	// folder, below hack/cluster, of the modules that pin the versions.
	folder string
	// binaries in the order of building.
	binaries []binary
	// crds says that cert-manager's CustomResourceDefinitions belong to it.
	crds bool
}

func controlPlane() set {
	return set{folder: "build", crds: true, binaries: []binary{
		{"etcd", "etcd", "go.etcd.io/etcd/server/v3", 40 * time.Second},
		{"kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", 4 * time.Minute},
		{"kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", time.Minute},
		{"kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl", 30 * time.Second},
		{"certmanager-controllers", "certmanager", ".", 2 * time.Minute},
	}}
}

// nodeExtras is a set of its own, so that nobody who needs no node builds one, or builds the
// control plane again because the node has changed.
func nodeExtras() set {
	return set{prefix: "node-", folder: "buildnode", binaries: []binary{
		{"kubelet", "kubernetes", "k8s.io/kubernetes/cmd/kubelet", 2 * time.Minute},
		{"kube-proxy", "kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", 20 * time.Second},
		{"kube-scheduler", "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", 30 * time.Second},
		{"coredns", "coredns", ".", time.Minute},
		{"pause", "pause", ".", 5 * time.Second},
	}}
}

// progressInterval is how often Build says that it is still at work.
const progressInterval = 10 * time.Second

// Build makes sure that the binaries and manifests of the pinned versions are in the cache
// ($LANYARD_CACHE, or lanyard in the user's cache folder), builds what is missing, and says on
// progress what it does, at least every 10 s. With a warm cache it takes milliseconds and says
// nothing. Several processes may call it at once: one builds, the others wait for it.
//
// It must run inside a checkout, because the modules that pin the versions stand there.
func Build(ctx context.Context, progress io.Writer) (Assets, error) {
	return buildSet(ctx, controlPlane(), progress)
}

// NodeAssets are the binaries of a whole node.
type NodeAssets struct {
	Assets
	// NodeDir holds what the control plane alone does without: kubelet, kube-proxy,
	// kube-scheduler, coredns and pause.
	NodeDir string
}

// BuildNode is [Build] for a whole node.
func BuildNode(ctx context.Context, progress io.Writer) (NodeAssets, error) {
	control, err := Build(ctx, progress)
	if err != nil {
		return NodeAssets{}, err
	}
	extras, err := buildSet(ctx, nodeExtras(), progress)
	return NodeAssets{Assets: control, NodeDir: extras.Dir}, err
}

func buildSet(ctx context.Context, set set, progress io.Writer) (Assets, error) {
	modules, err := findModules(set.folder)
	if err != nil {
		return Assets{}, err
	}
	root, err := cacheRoot()
	if err != nil {
		return Assets{}, err
	}
	goVersion, err := runGo(ctx, filepath.Join(modules, "kubernetes"), "env", "GOVERSION")
	if err != nil {
		return Assets{}, err
	}
	key, err := cacheKey(os.DirFS(modules), strings.TrimSpace(goVersion))
	if err != nil {
		return Assets{}, err
	}
	key = set.prefix + key
	assets := assetsIn(filepath.Join(root, key))
	if binaries, crds := assets.missing(set); len(binaries) == 0 && !crds {
		return assets, nil
	}
	if err := os.MkdirAll(assets.Dir, 0o755); err != nil {
		return Assets{}, err
	}
	unlock, err := lock(ctx, filepath.Join(root, key+".lock"), func() {
		fmt.Fprintln(progress, "another process is building the local cluster; waiting for it")
	})
	if err != nil {
		return Assets{}, err
	}
	defer unlock()
	return assets, assets.build(ctx, set, modules, progress)
}

// build makes what is missing, now that nobody else does.
func (a Assets) build(ctx context.Context, set set, modules string, progress io.Writer) error {
	binaries, crds := a.missing(set)
	for i, b := range binaries {
		what := fmt.Sprintf("building %s (%d of %d)", b.name, i+1, len(binaries))
		err := reporting(progress, what, b.usual, func() error { return a.buildOne(ctx, b, modules) })
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if !crds {
		return nil
	}
	return a.copyCRDs(ctx, filepath.Join(modules, "certmanager"))
}

// reporting runs work, and says before, during and after it how it stands.
func reporting(progress io.Writer, what string, usual time.Duration, work func() error) error {
	begun := time.Now()
	fmt.Fprintf(progress, "%s; from nothing on 2 cores this takes about %s\n", what, usual)
	done := make(chan error, 1)
	go func() { done <- work() }()
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			if err == nil {
				fmt.Fprintf(progress, "%s: done in %s\n", what, time.Since(begun).Round(time.Second))
			}
			return err
		case <-ticker.C:
			fmt.Fprintf(progress, "%s: %s of about %s\n", what, time.Since(begun).Round(time.Second), usual)
		}
	}
}

// buildOne builds to a temporary name first: what has its final name is whole.
func (a Assets) buildOne(ctx context.Context, b binary, modules string) error {
	flags, err := linkerFlags(modules)
	if err != nil {
		return err
	}
	temp := a.Path(fmt.Sprintf(".%s.tmp-%d", b.name, os.Getpid()))
	defer func() { _ = os.Remove(temp) }() // gone already after the rename
	dir := filepath.Join(modules, b.module)
	if _, err := runGo(ctx, dir, "build", "-trimpath", "-ldflags", flags, "-o", temp, b.pkg); err != nil {
		return err
	}
	return os.Rename(temp, a.Path(b.name))
}

// linkerFlags strips the binaries, and gives Kubernetes the version that it says it has.
func linkerFlags(modules string) (string, error) {
	goMod, err := os.Open(filepath.Join(modules, "kubernetes", "go.mod"))
	if err != nil {
		return "", err
	}
	defer func() { _ = goMod.Close() }()
	version, err := moduleVersion(goMod, "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags, "-X", pkg+".gitVersion="+version, "-X", pkg+".gitMajor="+major, "-X", pkg+".gitMinor="+minor)
	}
	return strings.Join(flags, " "), nil
}

// copyCRDs copies cert-manager's CRDs out of its module. They are used as they are: they hold
// no templates and no conversion webhook.
func (a Assets) copyCRDs(ctx context.Context, module string) error {
	out, err := runGo(ctx, module, "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(out), "deploy", "crds", "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("cert-manager's module has no deploy/crds/*.yaml")
	}
	temp, err := os.MkdirTemp(a.Dir, ".crds.tmp-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }() // gone already after the rename
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if bytes.Contains(data, []byte("{{")) || bytes.Contains(data, []byte("conversion:")) {
			return fmt.Errorf("%s has a template or a conversion webhook: it cannot be applied as it is", filepath.Base(file))
		}
		if err := os.WriteFile(filepath.Join(temp, filepath.Base(file)), data, 0o644); err != nil {
			return err
		}
	}
	return errors.Join(os.Chmod(temp, 0o755), os.Rename(temp, a.CRDs))
}

// runGo runs the go command in one of the build modules and returns what it prints.
func runGo(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	// Interrupted, the go command ends the compilers that it runs; killed, it does not.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = termGrace
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], dir, err, lastLines(stderr.String()))
	}
	return stdout.String(), nil
}
