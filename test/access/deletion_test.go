package access

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// promised is how soon a namespace with Lanyard's kinds is gone. For the first five
// seconds Kubernetes' own namespace controller waits before it begins.
const promised = 10 * time.Second

// inhabited is a namespace with all kinds in it, all of them working: cert-manager has
// issued a certificate, and the client has its role.
func inhabited(t *testing.T) (ns *corev1.Namespace, all []*unstructured.Unstructured) {
	t.Helper()
	ns = env.Namespace(t, nil, nil)
	name := ns.Name
	all = []*unstructured.Unstructured{
		object("ProtectedResource", name, "orders", spec{"identifier": "api://" + name}),
		object("AppRole", name, "orders-read", spec{"resourceRef": spec{"name": "orders"}, "value": "Orders.Read.All"}),
		object("AppRoleAssignment", name, "checkout", spec{
			"roleRef": spec{"name": "orders-read"}, "clientRef": spec{"namespace": name, "name": "checkout"}, "decision": "Approved",
		}),
		object("OAuthClient", name, "checkout", spec{
			"authentication": spec{"certificate": spec{"methods": []any{"tls_client_auth"}}},
			"roles":          []any{spec{"namespace": name, "name": "orders-read"}},
		}),
		object("ClientCertificate", name, "checkout", issued("checkout-mtls")),
	}
	for _, o := range all {
		create(t, o)
	}
	for _, o := range all {
		awaitReason(t, o, v1alpha1.ReasonReady)
	}
	return ns, all
}

// tries is how often a namespace is deleted until one was gone as soon as promised: a machine on
// which much else runs is slow now and then, and a webhook that holds deletions up does so each time.
const tries = 5

// goes deletes the namespace, and says whether it was gone as soon as promised.
func goes(t *testing.T, ns *corev1.Namespace) bool {
	t.Helper()
	began := time.Now()
	if err := env.Client.Delete(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(ns), ns); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the namespace is still there: %+v: %w", ns.Status.Conditions, err)
		}
		return nil
	})
	took := time.Since(began).Round(10 * time.Millisecond)
	t.Logf("gone after %s", took)
	return took <= promised
}

func TestANamespaceWithAllKindsIsGoneSoon(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T){
		"while the controller runs":         func(*testing.T) {},
		"while nobody answers the webhooks": withoutController,
	} {
		t.Run(name, func(t *testing.T) {
			for try := range tries {
				gone := false
				t.Run(fmt.Sprint("try ", try), func(t *testing.T) {
					ns, _ := inhabited(t)
					prepare(t)
					gone = goes(t, ns)
				})
				if gone || t.Failed() {
					return
				}
			}
			t.Errorf("gone after more than %s, %d times", promised, tries)
		})
	}
}

// withoutController kills the controller until the test ends.
func withoutController(t *testing.T) {
	t.Helper()
	env.Controller.Kill()
	t.Cleanup(func() {
		if err := env.Controller.Start(context.Background()); err != nil { // t.Context() has ended
			t.Error(err)
		}
	})
}

// A finalizer of ours would keep what it stands on for as long as the controller is
// away. There is none, and each object can be deleted without the controller.
func TestNothingIsKeptByAFinalizer(t *testing.T) {
	ns, all := inhabited(t)
	for _, o := range all {
		if now := stored(t, o); len(now.GetFinalizers()) > 0 {
			t.Errorf("%s has the finalizers %q", o.GetKind(), now.GetFinalizers())
		}
	}
	withoutController(t)
	user := "alice-" + ns.Name
	alice := owner(t, user, "admin", ns.Name)
	for _, o := range all {
		began := time.Now()
		if err := alice.Delete(t.Context(), o); err != nil {
			t.Errorf("%s: %v", o.GetKind(), err)
		}
		if now := stored(t, o); now != nil {
			t.Errorf("%s is still there: %v", o.GetKind(), now.Object["metadata"])
		}
		if took := time.Since(began); took > 4*time.Second { // a webhook that must answer is waited for for 5
			t.Errorf("%s: the deletion took %s without the controller", o.GetKind(), took)
		}
	}
}

// A tenant's own finalizer keeps the tenant's own object, and gives it nothing: see
// TestRefusesADeletedClientThatAFinalizerHolds and its like. It can be taken off while
// the controller is away.
func TestAnOwnFinalizerIsTakenOffWithoutTheController(t *testing.T) {
	ns, all := inhabited(t)
	alice := owner(t, "alice-"+ns.Name, "admin", ns.Name)
	withoutController(t)
	for _, o := range all {
		hold := func(finalizers ...string) error {
			now := stored(t, o)
			base := now.DeepCopy()
			now.SetFinalizers(finalizers)
			return alice.Patch(t.Context(), now, client.MergeFrom(base))
		}
		if err := errors.Join(hold("example.com/hold"), alice.Delete(t.Context(), o.DeepCopy()), hold()); err != nil {
			t.Errorf("%s: %v", o.GetKind(), err)
		}
		if now := stored(t, o); now != nil {
			t.Errorf("%s is still there: %v", o.GetKind(), now.Object["metadata"])
		}
	}
}
