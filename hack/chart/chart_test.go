package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// object is a manifest as JSON is decoded.
type object = map[string]any

// tool runs one of the pinned tools, and returns what it printed.
func tool(t *testing.T, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "hack/tools/run", append([]string{name}, args...)...)
	cmd.Dir = root
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// rendered are the objects that a tool prints, by kind and name.
func rendered(t *testing.T, name string, args ...string) map[string]object {
	t.Helper()
	stdout, stderr, err := tool(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr)
	}
	objects := map[string]object{}
	for text := range strings.SplitSeq(stdout, "\n---\n") {
		var o object
		if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
			t.Fatalf("%s %s: %v in\n%s", name, strings.Join(args, " "), err, text)
		}
		if len(o) == 0 {
			continue
		}
		key := keyOf(o)
		if objects[key] != nil {
			t.Errorf("%s %s has %s twice", name, strings.Join(args, " "), key)
		}
		objects[key] = o
	}
	return objects
}

func keyOf(o object) string {
	metadata, _ := o["metadata"].(object)
	return strings.TrimSuffix(fmt.Sprintf("%v %v.%v", o["kind"], metadata["name"], or(metadata["namespace"], "")), ".")
}

func or(value, fallback any) any {
	if value == nil {
		return fallback
	}
	return value
}

// template are the objects of the chart with these values.
func template(t *testing.T, helm string, set ...string) map[string]object {
	t.Helper()
	args := []string{"template", "lanyard", "charts/lanyard", "--namespace=lanyard-system", "--no-hooks", "--kube-version=1.36.0"}
	for _, s := range append([]string{"image.repository=lanyard", "image.tag=dev"}, set...) {
		args = append(args, "--set="+s)
	}
	return rendered(t, helm, args...)
}

// Where the two differ: the chart has labels and annotations of Helm's, and no Namespace,
// which is the release's.
func TestChartAndKustomizeInstallTheSame(t *testing.T) {
	cases := map[string]struct {
		folder string
		set    []string
	}{
		"by default":          {folder: "config/default"},
		"with client secrets": {folder: "hack/chart/testdata/client-secrets", set: []string{"clientSecrets.enabled=true"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kustomized := rendered(t, "kustomize", "build", tc.folder)
			if kustomized["Namespace lanyard-system"] == nil {
				t.Error("config/default has no Namespace lanyard-system")
			}
			delete(kustomized, "Namespace lanyard-system")
			charted := template(t, "helm", tc.set...)
			for _, o := range charted {
				withoutHelm(o)
			}
			if diff := cmp.Diff(kustomized, charted); diff != "" {
				t.Errorf("what kustomize installs (-) is not what the chart installs (+):\n%s", diff)
			}
		})
	}
}

// withoutHelm takes away what Helm alone adds.
func withoutHelm(o object) {
	metadata := o["metadata"].(object)
	for _, field := range []string{"labels", "annotations"} {
		marks, _ := metadata[field].(object)
		for key := range marks {
			if strings.HasPrefix(key, "helm.sh/") || strings.HasPrefix(key, "app.kubernetes.io/") {
				delete(marks, key)
			}
		}
		if len(marks) == 0 {
			delete(metadata, field)
		}
	}
}

func TestBothHelmsRenderTheSame(t *testing.T) {
	for name, set := range variants {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(template(t, "helm3", set...), template(t, "helm", set...)); diff != "" {
				t.Errorf("Helm 3 (-) renders otherwise than Helm 4 (+):\n%s", diff)
			}
		})
	}
}
