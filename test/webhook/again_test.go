package webhook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// all is one object of each kind, as people write them.
const all = `
apiVersion: lanyard.dev/v1alpha1
kind: ProtectedResource
metadata: {name: orders, namespace: %[1]s}
spec: {identifier: "api://%[1]s"}
---
apiVersion: lanyard.dev/v1alpha1
kind: AppRole
metadata: {name: reads, namespace: %[1]s}
spec: {resourceRef: {name: orders}, value: Orders.Read}
---
apiVersion: lanyard.dev/v1alpha1
kind: OAuthClient
metadata: {name: checkout, namespace: %[1]s}
spec:
  authentication: {serviceAccounts: [{name: checkout, admission: Optional, boundTo: Pod}]} # kubectl compares lists as a whole
  roles: [{namespace: %[1]s, name: reads}]
---
apiVersion: lanyard.dev/v1alpha1
kind: ClientCertificate
metadata: {name: checkout, namespace: %[1]s}
spec:
  clientRef: {name: checkout}
  issuance: {issuerRef: {name: workload-ca, kind: ClusterIssuer}, secretName: checkout-mtls}
---
apiVersion: lanyard.dev/v1alpha1
kind: AppRoleAssignment
metadata: {name: checkout-reads, namespace: %[1]s}
spec:
  roleRef: {name: reads}
  clientRef: {namespace: %[1]s, name: checkout}
  decision: Approved
  expiresAt: "2090-01-01T00:00:00Z"
  reason: checkout shows order history
`

// What Argo CD and Flux compare is a server-side dry run: it must show no difference
// while nothing was decided anew, whoever applies it.
func TestTheSameManifestAgainIsNoChange(t *testing.T) {
	newPerson(t, "alice")
	newPerson(t, "bob")
	for name, how := range map[string][]string{
		"kubectl apply":               nil,
		"kubectl apply --server-side": {"--server-side"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := env.Namespace(t, nil, nil).Name
			file := filepath.Join(t.TempDir(), "all.yaml")
			check(t, os.WriteFile(file, fmt.Appendf(nil, all, namespace), 0o600))
			apply := func(user string, more ...string) string {
				t.Helper()
				return env.Kubectl(t, append(append([]string{"apply", "-f", file, "--as=" + user}, how...), more...)...)
			}
			if out := apply("alice"); strings.Contains(out, "Warning") {
				t.Errorf("warned of a sound manifest:\n%s", out)
			}
			a := assignment(namespace, "checkout-reads", "reads", oauthClient(namespace, "checkout"))
			first := get(t, a).DeepCopy()
			if first.Spec.DecidedBy != "alice" {
				t.Fatalf("decided by %q; want alice", first.Spec.DecidedBy)
			}
			versions := generations(t, namespace)
			apply("alice")
			if how == nil {
				if out := apply("bob"); strings.Count(out, "unchanged") != 5 {
					t.Errorf("kubectl says\n%s\nwant unchanged of each", out)
				}
			} else {
				apply("bob", "--field-manager=kubectl") // as the same manager: another would be listed beside it
			}
			if diff := cmp.Diff(first.Spec, get(t, a).Spec); diff != "" {
				t.Errorf("the same again makes a difference (-before +after):\n%s", diff)
			}
			for kind, generation := range generations(t, namespace) {
				if generation != versions[kind] {
					t.Errorf("%s: generation %d; want %d", kind, generation, versions[kind])
				}
			}
			quiet(t, namespace) // kubectl looks twice, and a status that comes in between would be a difference
			// kubectl fails where there is a difference.
			env.Kubectl(t, append([]string{"diff", "-f", file, "--as=bob"}, how...)...)
			if how != nil {
				env.Kubectl(t, append([]string{"diff", "-f", file, "--as=bob", "--field-manager=argocd-controller", "--force-conflicts"}, how...)...)
			}
		})
	}
}

// quiet waits until the controller has nothing more to write of [all].
func quiet(t *testing.T, namespace string) {
	t.Helper()
	env.Issued(t, namespace, "checkout")
	key := client.ObjectKey{Namespace: namespace, Name: "checkout"}
	testenv.Eventually(t, func(ctx context.Context) error {
		c, cc, r := &v1alpha1.OAuthClient{}, &v1alpha1.ClientCertificate{}, &v1alpha1.AppRole{}
		err := errors.Join(env.Client.Get(ctx, key, c), env.Client.Get(ctx, key, cc), env.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "reads"}, r))
		if err != nil {
			return err
		}
		a := assignment(namespace, "checkout-reads", "reads", c)
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		for kind, conditions := range map[string][]metav1.Condition{"client": c.Status.Conditions, "certificate": cc.Status.Conditions} {
			if !meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady) {
				return fmt.Errorf("the %s is not ready: %v", kind, conditions)
			}
		}
		if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionRolesGranted) || r.Status.GrantedCount == nil || *r.Status.GrantedCount != 1 ||
			a.Status.ClientCount == nil || *a.Status.ClientCount != 1 {
			return fmt.Errorf("not all have seen that the role is granted: %+v, %+v, %+v", c.Status, r.Status, a.Status)
		}
		return nil
	})
}

// generations returns the generation of each object of [all].
func generations(t *testing.T, namespace string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for name, o := range map[string]client.Object{
		"orders": &v1alpha1.ProtectedResource{}, "reads": &v1alpha1.AppRole{}, "checkout": &v1alpha1.OAuthClient{}, "checkout-reads": &v1alpha1.AppRoleAssignment{},
	} {
		check(t, env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, o))
		out[name] = o.GetGeneration()
	}
	return out
}

func TestTheSameAgainWritesNothing(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	a := decided(withRole(t))
	testenv.Create(t, alice, a)
	settled(t, a)
	for name, again := range map[string]func() error{
		"an update": func() error { return bob.Update(t.Context(), a.DeepCopy()) },
		"an update without the record": func() error {
			put := a.DeepCopy()
			put.Spec.DecidedBy, put.Spec.DecidedAt = "", nil
			return bob.Update(t.Context(), put)
		},
		"an empty patch": func() error { return bob.Patch(t.Context(), a.DeepCopy(), merge(`{}`)) },
	} {
		check(t, again())
		if now := get(t, a.DeepCopy()); now.ResourceVersion != a.ResourceVersion {
			t.Errorf("%s wrote resourceVersion %s after %s", name, now.ResourceVersion, a.ResourceVersion)
		}
	}
}
