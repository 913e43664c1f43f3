package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

// template are the objects of the chart, with further arguments for helm.
func template(t *testing.T, helm string, args ...string) map[string]object {
	t.Helper()
	given := []string{"template", "lanyard", "charts/lanyard", "--namespace=lanyard-system", "--no-hooks", "--kube-version=1.36.0", "--values=charts/lanyard/ci/default.yaml"}
	return rendered(t, helm, append(given, args...)...)
}

// Where the two differ: the chart has labels and annotations of Helm's, and no Namespace,
// which is the release's.
func TestChartAndKustomizeInstallTheSame(t *testing.T) {
	cases := map[string]struct {
		folder string
		args   []string
	}{
		"by default":          {folder: "config/default"},
		"with client secrets": {folder: "hack/chart/testdata/client-secrets", args: []string{"--set=clientSecrets.enabled=true"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kustomized := rendered(t, "kustomize", "build", tc.folder)
			if kustomized["Namespace lanyard-system"] == nil {
				t.Error("config/default has no Namespace lanyard-system")
			}
			delete(kustomized, "Namespace lanyard-system")
			charted := template(t, "helm", tc.args...)
			for _, o := range charted {
				withoutHelm(o)
			}
			compare(t, "kustomize", kustomized, "the chart", charted)
		})
	}
}

// compare tells of each object that one side alone has, or has otherwise.
func compare(t *testing.T, left string, a map[string]object, right string, b map[string]object) {
	t.Helper()
	for key := range b {
		if a[key] == nil {
			t.Errorf("%s alone has %s", right, key)
		}
	}
	for key := range a {
		if b[key] == nil {
			t.Errorf("%s alone has %s", left, key)
		} else if diff := cmp.Diff(a[key], b[key]); diff != "" {
			t.Errorf("%s of %s (-) is not that of %s (+):\n%s", key, left, right, diff)
		}
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
	for name, args := range map[string][]string{
		"by default":                           nil,
		"with everything on":                   {"--values=charts/lanyard/ci/everything.yaml"},
		"in another namespace":                 {"--namespace=identity"},
		"without what can be left to others":   {"--set=crds.enabled=false,rbac.people=false,networkPolicy.enabled=false,podDisruptionBudget.enabled=false,test.enabled=false"},
		"without injection":                    {"--set=injection.enabled=false"},
		"with certificates of somebody else's": {"--set=certificates.issuer.existingSecret=a,certificates.webhook.existingSecret=b"},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, "Helm 3", template(t, "helm3", args...), "Helm 4", template(t, "helm", args...))
		})
	}
}

// Sidecars trust what the values name, and where Lanyard has a CA of its own also who signed the
// certificate in use, which need not be that CA any more.
func TestRootsComeFromWhereTheValuesSay(t *testing.T) {
	for values, want := range map[string]string{
		"": "lanyard-ca/ca.crt lanyard-issuer-tls/ca.crt",
		"certificates.issuer.issuerRef.name=platform,certificates.issuer.issuerRef.kind=ClusterIssuer": "lanyard-issuer-tls/ca.crt",
		"certificates.issuer.existingSecret=a":                                                         "a/ca.crt",
		"certificates.issuer.existingSecret=a,certificates.issuer.caSecret=lanyard-ca":                 "lanyard-ca/ca.crt",
		"certificates.issuer.caSecret=b,certificates.issuer.caKey=root.pem":                            "b/root.pem",
	} {
		t.Run(values, func(t *testing.T) {
			var d appsv1.Deployment
			controller := template(t, "helm", "--set="+values)["Deployment lanyard-controller.lanyard-system"]
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(controller, &d); err != nil {
				t.Fatal(err)
			}
			var roots, files []string
			for _, volume := range d.Spec.Template.Spec.Volumes {
				if volume.Name != "ca" {
					continue
				}
				for _, source := range volume.Projected.Sources {
					for _, item := range source.Secret.Items {
						roots = append(roots, source.Secret.Name+"/"+item.Key)
						files = append(files, "/etc/lanyard/ca/"+item.Path)
					}
				}
			}
			if got := strings.Join(roots, " "); got != want {
				t.Errorf("roots come from %q; want %q", got, want)
			}
			if read := "--ca-bundle=" + strings.Join(files, ","); !slices.Contains(d.Spec.Template.Spec.Containers[0].Args, read) {
				t.Errorf("the controller has no %s: %q", read, d.Spec.Template.Spec.Containers[0].Args)
			}
		})
	}
}

func TestSaysWhatToSet(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"without an image":                     {nil, "at '/image/repository': value must be 'the repository of your image, such as <registry>/lanyard; make image builds one: --set image.repository=…'"},
		"with a value that is spelled wrongly": {[]string{"--set=image.repository=a,controller.allowedIssuer=b"}, "at '/controller': additional properties 'allowedIssuer' not allowed"},
		"with a plain issuer URL":              {[]string{"--set=image.repository=a,issuer.url=http://a"}, "at '/issuer/url': 'http://a' does not match pattern"},
		"with no replicas":                     {[]string{"--set=image.repository=a,issuer.replicas=0"}, "at '/issuer/replicas': minimum: got 0, want 1"},
		"on an old Kubernetes":                 {[]string{"--set=image.repository=a", "--kube-version=1.32.0"}, "chart requires kubeVersion: >=1.33.0-0"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, helm := range []string{"helm", "helm3"} {
				_, stderr, err := tool(t, helm, append([]string{"template", "lanyard", "charts/lanyard", "--kube-version=1.36.0"}, tc.args...)...)
				if err == nil || !strings.Contains(stderr, tc.want) {
					t.Errorf("%s says %q, %v; want an error that says %q", helm, stderr, err, tc.want)
				}
			}
		})
	}
}

// What depends on the namespace follows the release's.
func TestNothingButTheNameIsBoundToOneNamespace(t *testing.T) {
	stdout, stderr, err := tool(t, "helm", "template", "lanyard", "charts/lanyard", "--namespace=identity", "--values=charts/lanyard/ci/default.yaml")
	if err != nil {
		t.Fatal(err, stderr)
	}
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, "lanyard-system") {
			t.Errorf("in the namespace identity the chart has the line %q", line)
		}
	}
}

func TestKindsStay(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want any
	}{
		"by default":     {nil, "keep"},
		"unless told so": {[]string{"--set=crds.keep=false"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := 0
			for key, o := range template(t, "helm", tc.args...) {
				if o["kind"] != "CustomResourceDefinition" {
					continue
				}
				kinds++
				annotations, _ := o["metadata"].(object)["annotations"].(object)
				if got := annotations["helm.sh/resource-policy"]; got != tc.want {
					t.Errorf("%s has helm.sh/resource-policy: %v; want %v", key, got, tc.want)
				}
			}
			if kinds == 0 {
				t.Error("the chart has no kinds")
			}
		})
	}
}
