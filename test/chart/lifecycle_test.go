// Package chart installs the Helm chart on a real API server with cert-manager: every object is
// accepted, upgrades and comes back, and what is to stay stays. Pods do not run here; test/e2e
// runs them.
package chart

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

const (
	previous  = "test/e2e/testdata/lanyard-0.1.0.tgz"
	current   = "charts/lanyard"
	namespace = "identity" // not the one that manifests name

	olderName, currentName = "oacold", "oac"
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	testenv.Main(m, &env, testenv.Options{CertManager: true, ControllerManager: true})
}

// The life of an installation, with each of the Helms that people have.
func TestInstallUpgradeRollBackUninstall(t *testing.T) {
	env.Kubectl(t, "delete", "-f", "config/crd/bases") // the test environment's: the chart has its own
	for name, tool := range map[string]string{"Helm 4": "helm", "Helm 3": "helm3"} {
		t.Run(name, func(t *testing.T) {
			r := release{tool: tool, kubeconfig: env.Kubeconfig(t, "admin", "system:masters")}
			r.helm(t, "install", "lanyard", withOlderKinds(t), "--create-namespace", "--set=image.repository=lanyard,image.tag=old")
			certificatesAreMade(t)
			kindsAre(t, olderName)

			r.helm(t, "upgrade", "lanyard", current, "--set=image.repository=lanyard,image.tag=new")
			kindsAre(t, currentName)
			if got := sidecars(t); got != "lanyard:new lanyard:old" {
				t.Errorf("after the upgrade sidecars may have the images %q; want the old one, too", got)
			}
			r.helm(t, "rollback", "lanyard", "1")
			kindsAre(t, olderName)
			if got := sidecars(t); got != "lanyard:old" {
				t.Errorf("after the roll-back sidecars may have the images %q", got)
			}
			r.helm(t, "upgrade", "lanyard", current, "--set=image.repository=lanyard,image.tag=new")

			declareAPI(t, "kept")
			r.helm(t, "uninstall", "lanyard")
			nothingIsLeft(t)
			if !exists(t, "kept") {
				t.Error("what was declared went with the release; it should stay")
			}
			// The signing keys, certificates and whatever else came to be in it.
			env.Kubectl(t, "delete", "namespace", namespace, "--timeout=3m")

			// The kinds that stayed are the release's when it comes back, and can be made to go with it.
			r.helm(t, "install", "lanyard", current, "--create-namespace", "--set=image.repository=lanyard")
			r.helm(t, "upgrade", "lanyard", current, "--reuse-values", "--set=crds.keep=false")
			r.helm(t, "uninstall", "lanyard")
			nothingIsLeft(t)
			gone(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "lanyard.dev")
			env.Kubectl(t, "delete", "namespace", namespace, "--timeout=3m")
		})
	}
}

// Somebody who began with kustomize, or whose kinds stayed from another release, goes on with Helm.
func TestTakesOverWhatIsThere(t *testing.T) {
	env.Kubectl(t, "apply", "--server-side", "-k", "config/default")
	r := release{tool: "helm", kubeconfig: env.Kubeconfig(t, "admin", "system:masters"), namespace: "lanyard-system"}
	if out, err := r.try(t, "install", "lanyard", current, "--set=image.repository=lanyard"); err == nil || !strings.Contains(out, "invalid ownership metadata") {
		t.Errorf("what is not the release's is taken over without being told so: %v %s", err, out)
	}
	r.helm(t, "install", "lanyard", current, "--set=image.repository=lanyard", "--take-ownership", "--force-conflicts")
	r.helm(t, "upgrade", "lanyard", current, "--reuse-values", "--set=crds.keep=false")
	r.helm(t, "uninstall", "lanyard")
	nothingIsLeft(t)
}

// release runs Helm as a cluster's administrator.
type release struct{ tool, kubeconfig, namespace string }

func (r release) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if r.namespace == "" {
		r.namespace = namespace
	}
	cmd := exec.CommandContext(t.Context(), "hack/tools/run", append([]string{r.tool, "--kubeconfig=" + r.kubeconfig, "--namespace=" + r.namespace}, args...)...)
	cmd.Dir = env.Root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r release) helm(t *testing.T, args ...string) {
	t.Helper()
	if out, err := r.try(t, args...); err != nil {
		t.Fatalf("%s %s: %v\n%s", r.tool, strings.Join(args, " "), err, out)
	}
}

// withOlderKinds is the chart of the version before, with a kind that was otherwise then: OAuthClient had
// another short name. Its own kinds are still those of today.
func withOlderKinds(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "tar", "-xzf", filepath.Join(env.Root, previous), "-C", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("unpacking %s: %v %s", previous, err, out)
	}
	chart := filepath.Join(dir, "lanyard")
	file := filepath.Join(chart, "templates/crds/lanyard.dev_oauthclients.yaml")
	kind, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const shortName = "    - %s\n"
	older := strings.Replace(string(kind), fmt.Sprintf(shortName, currentName), fmt.Sprintf(shortName, olderName), 1)
	if older == string(kind) {
		t.Fatalf("%s does not have the short name %s", file, currentName)
	}
	if err := os.WriteFile(file, []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	return chart
}

// kindsAre fails the test if OAuthClient has another short name.
func kindsAre(t *testing.T, shortName string) {
	t.Helper()
	kind := &unstructured.Unstructured{}
	kind.SetGroupVersionKind(schema.FromAPIVersionAndKind("apiextensions.k8s.io/v1", "CustomResourceDefinition"))
	if err := env.Client.Get(t.Context(), types.NamespacedName{Name: "oauthclients.lanyard.dev"}, kind); err != nil {
		t.Fatal(err)
	}
	got, _, err := unstructured.NestedStringSlice(kind.Object, "spec", "names", "shortNames")
	if diff := cmp.Diff([]string{shortName}, got); diff != "" || err != nil {
		t.Errorf("the kinds are not the chart's: short names of OAuthClient (-want +got): %v\n%s", err, diff)
	}
}

func certificatesAreMade(t *testing.T) {
	t.Helper()
	for _, name := range []string{"lanyard-ca", "lanyard-issuer", "lanyard-webhook"} {
		testenv.Eventually(t, func(ctx context.Context) error {
			var certificate certmanagerv1.Certificate
			if err := env.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &certificate); err != nil {
				return err
			}
			for _, c := range certificate.Status.Conditions {
				if c.Type == certmanagerv1.CertificateConditionReady && c.Status == "True" {
					return nil
				}
			}
			return fmt.Errorf("the Certificate %s is not Ready: %v", name, certificate.Status.Conditions)
		})
	}
}

// sidecars are the images that the mark's policy accepts.
func sidecars(t *testing.T) string {
	t.Helper()
	var config corev1.ConfigMap
	if err := env.Client.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: "lanyard-sidecar"}, &config); err != nil {
		t.Fatal(err)
	}
	return config.Data["images"]
}

// declareAPI declares an API. Nobody answers the webhooks here, so that they are taken away first.
func declareAPI(t *testing.T, name string) {
	t.Helper()
	env.Kubectl(t, "delete", "validatingwebhookconfiguration", "lanyard")
	api := &v1alpha1.ProtectedResource{Spec: v1alpha1.ProtectedResourceSpec{Identifier: "api://default"}}
	api.Namespace, api.Name = "default", name
	testenv.Eventually(t, func(ctx context.Context) error { // until the API server has heard of it
		return env.Client.Create(ctx, api.DeepCopy())
	})
}

func exists(t *testing.T, name string) bool {
	t.Helper()
	var api v1alpha1.ProtectedResource
	err := env.Client.Get(t.Context(), types.NamespacedName{Namespace: "default", Name: name}, &api)
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// nothingIsLeft looks for what acts on the whole cluster.
func nothingIsLeft(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding"} {
		gone(t, "rbac.authorization.k8s.io/v1", kind, "lanyard")
	}
	for _, kind := range []string{
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	} {
		gone(t, "admissionregistration.k8s.io/v1", kind, "lanyard")
	}
}

// gone waits until no object of a kind has a name with this in it.
func gone(t *testing.T, apiVersion, kind, name string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind+"List"))
		if err := env.Client.List(ctx, &list); err != nil {
			return err
		}
		for _, o := range list.Items {
			if strings.Contains(o.Name, name) {
				return fmt.Errorf("left behind: %s %s", kind, o.Name)
			}
		}
		return nil
	})
}
