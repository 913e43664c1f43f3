//go:build e2e

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestHelmInstallSaysWhatToDoNext(t *testing.T) {
	for _, want := range []string{"rollout status", "oauthclient", "lanyard.dev/inject", issuerURL, "helm test", "docs/install.md"} {
		if !strings.Contains(lanyard.notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, lanyard.notes)
		}
	}
}

func TestHelmTestFetchesAToken(t *testing.T) { lanyard.helmTest(t) }

func (w *world) helmTest(t *testing.T) {
	t.Helper()
	begun := time.Now()
	out, err := w.helm(t.Context(), "test", "lanyard", "--namespace="+systemNamespace, "--logs", "--timeout=2m")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	figure(t, "helm test took %v", time.Since(begun).Round(time.Millisecond))
	if !strings.Contains(out, "Succeeded") {
		t.Error(out)
	}
}

// The last of all: nothing is left of the installation, but the kinds and what users declared, with
// which it works again once it is back.
func TestHelmUninstallAndInstallAgain(t *testing.T) {
	afterAll(t)
	s := newShop(t)
	s.declareClient(t)
	begun := time.Now()
	if out, err := s.helm(t.Context(), "uninstall", "lanyard", "--namespace="+systemNamespace, "--wait", "--timeout=2m"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := s.do(t, "get", "oauthclient", "checkout", "-o", "name"); !strings.Contains(left, "checkout") {
		t.Errorf("a client did not survive: %q", left)
	}
	for _, kind := range []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings", "clusterroles", "clusterrolebindings"} {
		out, err := s.kubectl(t.Context(), nil, "get", kind, "-o", "name")
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.Lines(out) {
			if strings.Contains(name, "lanyard") {
				t.Errorf("left behind: %s", name)
			}
		}
	}
	// What asks for a sidecar is not kept from starting by a webhook that is gone.
	eventually(t, patience, func() error { // once the API server has heard that it is
		_, err := s.try(t, manifest(t, "pod.yaml", "labels: {app: by-hand}", "labels: {app: by-hand, lanyard.dev/inject: \"true\"}"))
		return err
	})
	if _, err := s.kubectl(t.Context(), nil, "delete", "namespace", systemNamespace, "--timeout=3m"); err != nil {
		t.Error(err)
	}
	figure(t, "helm uninstall, and the namespace gone: %v", time.Since(begun).Round(time.Millisecond))
	if diff := cmp.Diff(s.kinds(t), s.installedKinds(t)); diff != "" {
		t.Errorf("by default all kinds stay (-of the chart +left):\n%s", diff)
	}

	// And it can come back, with what was declared meanwhile: at first without injection.
	if err := s.helmInstall(t.Context(), "--set=injection.enabled=false"); err != nil {
		t.Fatal(err)
	}
	s.readyLongEnough(t)
	s.helmTest(t)
	if _, err := s.try(t, manifest(t, "pod.yaml", "by-hand", "labelled", "labels: {app: labelled}",
		"labels: {app: labelled, lanyard.dev/inject: \"true\"}\n  annotations: {lanyard.dev/client: checkout}")); err == nil || !strings.Contains(err.Error(), "injects no pods in this installation") {
		t.Errorf("a pod with the label, where injection is off: %v", err)
	}
	if err := s.helmInstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.apply(t, manifest(t, "deployment.yaml"))
	s.readyPod(t, "checkout")
}

// readyLongEnough asserts that an installation is said to be done only when kube-proxy has had time
// to send calls to its pods: it does so once a second, and till then what is declared is refused.
func (w *world) readyLongEnough(t *testing.T) {
	t.Helper()
	var pods corev1.PodList
	if err := w.kube.List(t.Context(), &pods, client.InNamespace(systemNamespace)); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 4 {
		t.Errorf("%d pods; want two of the controller and two of the issuer", len(pods.Items))
	}
	for _, pod := range pods.Items {
		for _, c := range pod.Status.Conditions {
			if since := time.Since(c.LastTransitionTime.Time); c.Type == corev1.PodReady && since < 5*time.Second {
				t.Errorf("helm install --wait ended %v after %s became ready (%s)", since, pod.Name, c.Status)
			}
		}
	}
}

// kinds are the names of Lanyard's CustomResourceDefinitions, sorted: <group>_<plural>.yaml is the file of each.
func (w *world) kinds(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.root, "config/crd/bases/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("config/crd/bases has no kinds", err)
	}
	for _, file := range files {
		group, plural, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yaml"), "_")
		names = append(names, plural+"."+group)
	}
	slices.Sort(names)
	return names
}

// installedKinds are those of them that the API server has, sorted.
func (w *world) installedKinds(t *testing.T) (names []string) {
	t.Helper()
	out, err := w.kubectl(t.Context(), nil, "get", "crds", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if _, name, _ := strings.Cut(strings.TrimSpace(line), "/"); strings.HasSuffix(name, ".lanyard.dev") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
