// Command manifests checks every manifest that people install: the chart, config/default and the
// samples. Helm's own lint comes first; then a real API server is asked whether it would take each
// object, strictly: unknown fields, deprecated versions, CEL that does not compile. Nothing is
// stored but namespaces, and the server ends with the program. What the Prometheus operator
// reads, which that server does not know, check-monitoring judges.
//
// Run it in the checkout's root: `make lint`.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// Values of the chart: what must be set; with all that can be switched on; without what can be switched off.
const (
	defaults   = "charts/lanyard/ci/default.yaml"
	everything = "charts/lanyard/ci/everything.yaml"
	least      = "charts/lanyard/ci/least.yaml"
)

// sets are what is checked, each by the command that prints it.
var sets = []struct {
	name  string
	print []string
}{
	{"the chart", helm(defaults)},
	{"the chart with everything on", helm(everything)},
	{"the chart with everything off", helm(least)},
	{"config/default", []string{"kustomize", "build", "config/default"}},
	{"config/default with client secrets", []string{"kustomize", "build", "hack/chart/testdata/client-secrets"}},
}

func helm(values string) []string {
	return []string{"helm", "template", "lanyard", "charts/lanyard", "--namespace=lanyard-system", "--values=" + values, "--kube-version=1.36.0"}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	if err := lint(ctx); err != nil {
		return err
	}
	assets, err := cluster.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	server := &envtest.Environment{BinaryAssetsDirectory: assets.Dir, CRDDirectoryPaths: []string{"config/crd/bases", assets.CRDs}, ErrorIfCRDPathMissing: true}
	config, err := server.Start()
	if err != nil {
		return fmt.Errorf("starting etcd and kube-apiserver: %w", err)
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	judge, err := newJudge(config)
	if err != nil {
		return err
	}
	for _, set := range sets {
		text, err := tool(ctx, nil, set.print...)
		if err != nil {
			return err
		}
		if err := judge.all(ctx, set.name, text); err != nil {
			return err
		}
	}
	samples, err := readFolder("config/samples")
	if err != nil {
		return err
	}
	return judge.all(ctx, "the samples", samples)
}

// lint runs Helm's lint, and check-monitoring.
func lint(ctx context.Context) error {
	for _, values := range []string{defaults, everything, least} {
		if _, err := tool(ctx, nil, "helm", "lint", "--strict", "--quiet", "charts/lanyard", "--values="+values, "--kube-version=1.36.0"); err != nil {
			return err
		}
	}
	text, err := tool(ctx, nil, helm(everything)...)
	if err != nil {
		return err
	}
	_, err = tool(ctx, text, "check-monitoring")
	return err
}

// tool runs a pinned tool, and returns what it prints.
func tool(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "hack/tools/run", args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", strings.Join(args, " "), err, out.Bytes(), errs.Bytes())
	}
	return out.Bytes(), nil
}

// readFolder joins the manifests of a folder.
func readFolder(folder string) ([]byte, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".yaml") {
			continue
		}
		text, err := os.ReadFile(folder + "/" + entry.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return bytes.Join(all, []byte("\n---\n")), nil
}

// split are the objects of a manifest; a name twice in a mapping is refused.
func split(text []byte) ([]map[string]any, error) {
	var all []map[string]any
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var o map[string]any
		if err := yaml.UnmarshalStrict(document, &o); err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}
		if len(o) > 0 {
			all = append(all, o)
		}
	}
	return all, nil
}
