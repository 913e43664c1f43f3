//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestHelmInstallSaysWhatToDoNext(t *testing.T) {
	for _, want := range []string{"rollout status", "oauthclient", "lanyard.dev/inject", issuerURL, "helm test", "docs/install.md"} {
		if !strings.Contains(lanyard.notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, lanyard.notes)
		}
	}
}

func TestHelmTestFetchesAToken(t *testing.T) {
	begun := time.Now()
	out, err := lanyard.helm(t.Context(), "test", "lanyard", "--namespace="+systemNamespace, "--logs", "--timeout=2m")
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
	if _, err := s.try(t, manifest(t, "pod.yaml", "labels: {app: by-hand}", "labels: {app: by-hand, lanyard.dev/inject: \"true\"}")); err != nil {
		t.Error(err)
	}
	if _, err := s.kubectl(t.Context(), nil, "delete", "namespace", systemNamespace, "--timeout=60s"); err != nil {
		t.Error(err)
	}
	figure(t, "helm uninstall, and the namespace gone: %v", time.Since(begun).Round(time.Millisecond))
	crds, err := s.kubectl(t.Context(), nil, "get", "crds", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(crds, "lanyard.dev"); n < 5 {
		t.Errorf("%d of the kinds are left, by default all stay:\n%s", n, crds)
	}

	// And it can come back, with what was declared meanwhile.
	if err := s.helmInstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.apply(t, manifest(t, "deployment.yaml"))
	s.readyPod(t, "checkout")
}
