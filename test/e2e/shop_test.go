//go:build e2e

package e2e

import (
	"context"
	"embed"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

//go:embed manifests
var manifests embed.FS

// patience is how long a test waits for what should come soon, on a machine that may be busy.
const patience = 2 * time.Minute

// shop is a namespace of a team that calls the orders API.
type shop struct {
	*world
	namespace string
}

// newShop makes a namespace for the test, as the platform makes one for a team: its clients may
// have the role, pods are held to the restricted standard, and ConfigMap orders-ca holds the roots
// of the orders API. It is removed after the test.
func newShop(t *testing.T) *shop {
	t.Helper()
	lanyard.endSharedLoad(t)
	s := openShop(t)
	t.Cleanup(func() {
		if t.Failed() {
			s.describe(t)
		}
		s.close(t)
	})
	return s
}

func openShop(t *testing.T) *shop {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "shop-",
		Labels: map[string]string{
			"orders.example/customer": "true", "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
		},
	}}
	if err := lanyard.kube.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	s := &shop{world: lanyard, namespace: namespace.Name}
	roots := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "orders-ca"}, Data: map[string]string{"ca.crt": string(s.ca)},
	}
	if err := s.kube.Create(t.Context(), roots); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) close(t *testing.T) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if err := s.kube.Delete(context.WithoutCancel(t.Context()), namespace); err != nil {
		t.Error(err)
	}
}

// manifest is one of the folder manifests. Each edit is a pair: what stands there, and what is to
// stand there instead.
func manifest(t *testing.T, name string, edits ...string) string {
	t.Helper()
	data, err := manifests.ReadFile("manifests/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return edit(t, string(data), edits...)
}

func edit(t *testing.T, text string, edits ...string) string {
	t.Helper()
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the manifest does not say %q:\n%s", edits[i], text)
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	return text
}

// Edits of deployment.yaml.
var (
	// exposed gives the app its token and certificate, and has it call the orders API itself.
	exposed = []string{
		"lanyard.dev/client: checkout", "lanyard.dev/client: checkout\n        lanyard.dev/expose-certificate: \"true\"",
		"--expect=/var/run/lanyard/tokens/orders", "--expect=" + boundDirectory + "/token," + boundDirectory + "/tls.crt," + boundDirectory + "/tls.key",
	}
	// neighbour is another app, with a client and a certificate of its own.
	neighbour = []string{"checkout", "packing"}
	// quiet has the app call only when it is asked to.
	quiet = []string{"--per-second=10", "--per-second=0"}
)

// boundDirectory is what an app finds with expose-certificate for the resource named orders.
const boundDirectory = "/var/run/lanyard/bound/orders"

// try applies a manifest in the namespace, and returns what kubectl says, warnings included.
func (s *shop) try(t *testing.T, manifest string) (string, error) {
	t.Helper()
	return s.kubectl(t.Context(), []byte(manifest), "apply", "-n", s.namespace, "-f", "-")
}

func (s *shop) apply(t *testing.T, manifest string) {
	t.Helper()
	if _, err := s.try(t, manifest); err != nil {
		t.Fatal(err)
	}
}

// do runs kubectl in the namespace, and returns what it prints.
func (s *shop) do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.kubectl(t.Context(), nil, append([]string{"-n", s.namespace}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// declareClient applies client.yaml, and waits until tokens can be had.
func (s *shop) declareClient(t *testing.T, edits ...string) {
	t.Helper()
	s.apply(t, manifest(t, "client.yaml", edits...))
	s.do(t, "wait", "--for=condition=Ready", "--timeout=3m", "clientcertificates,oauthclients", "--all")
	s.do(t, "wait", "--for=condition=RolesGranted", "--timeout=3m", "oauthclients", "--all")
}

// describe logs what may explain a failure.
func (s *shop) describe(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	var said strings.Builder
	for _, args := range [][]string{
		{"get", "all,oauthclients,clientcertificates", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "-l", "app=checkout", "-c", "lanyard-sidecar", "--tail=30", "--prefix"},
		{"logs", "-l", "app=checkout", "-c", "app", "--tail=10", "--prefix"},
	} {
		out, err := s.kubectl(ctx, nil, append([]string{"-n", s.namespace}, args...)...)
		fmt.Fprintf(&said, "$ kubectl %s\n%s", strings.Join(args, " "), out)
		if err != nil {
			fmt.Fprintln(&said, err)
		}
	}
	t.Log(said.String())
}

// tryPlugin runs kubectl lanyard, as the administrator, and returns what it prints.
func (w *world) tryPlugin(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return w.run(t.Context(), nil, filepath.Join(w.bin("lanyard"), "kubectl-lanyard"), args...)
}

func (w *world) plugin(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.tryPlugin(t, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}
