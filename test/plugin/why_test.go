package plugin

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// change edits an object as kubectl edit does.
func change[T client.Object](t *testing.T, o T, edit func()) {
	t.Helper()
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatal(err)
	}
	base := client.MergeFrom(o.DeepCopyObject().(T))
	edit()
	if err := env.Client.Patch(t.Context(), o, base); err != nil {
		t.Fatal(err)
	}
}

// decide makes the owner's decision on the client's first role.
func (w *world) decide(t *testing.T, name string, decision v1alpha1.Decision, expires *time.Time) *v1alpha1.AppRoleAssignment {
	t.Helper()
	a := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: name}}
	a.Spec.RoleRef.Name, a.Spec.Decision = w.role.Name, decision
	a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: w.shop, Name: w.client.Name}
	if expires != nil {
		a.Spec.ExpiresAt = &metav1.Time{Time: *expires}
	}
	create(t, a)
	return a
}

// pod makes a pod of a service account, and the account.
func (w *world) pod(t *testing.T, account, name string) {
	t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: account}}
	check(t, client.IgnoreAlreadyExists(env.Client.Create(t.Context(), sa)))
	create(t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	})
}

// notInjected makes a pod that asks for the sidecar of client checkout and has none: the
// label came later.
func (w *world) notInjected(t *testing.T, name string) {
	t.Helper()
	w.pod(t, "checkout", name)
	env.Kubectl(t, "-n", w.shop, "annotate", "pod", name, "lanyard.dev/client=checkout")
	env.Kubectl(t, "-n", w.shop, "label", "pod", name, "lanyard.dev/inject=true")
}

func remove(t *testing.T, o client.Object) {
	t.Helper()
	if err := env.Client.Delete(t.Context(), o, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
}

func TestWhy(t *testing.T) {
	w := newWorld(t, "why")
	admin := env.Kubeconfig(t, "admin", "system:masters")
	client, resource := w.shop+"/checkout", "api://"+w.orders
	why := func(args ...string) outcome { return run(t, admin, append([]string{"why"}, args...)...) }

	why(client, resource).exits(t, 1).golden(t, "why-pending")
	w.pod(t, "checkout", "checkout-1")
	denial := w.decide(t, "not-checkout", v1alpha1.DecisionDenied, nil)
	why(client, resource).exits(t, 1).golden(t, "why-denied")
	remove(t, denial)
	soon := time.Now().Add(2 * time.Second).Truncate(time.Second)
	expired := w.decide(t, "checkout-for-a-moment", v1alpha1.DecisionApproved, &soon)
	w.awaitRole(t, v1alpha1.RoleExpired)
	why(client, resource).exits(t, 1).golden(t, "why-expired")
	remove(t, expired)
	w.decide(t, "checkout-reads-orders", v1alpha1.DecisionApproved, nil)
	w.awaitRole(t, v1alpha1.RoleGranted)

	why(client, resource).succeeds(t).golden(t, "why-granted")
	why("checkout", "-n", w.shop, w.orders+"/orders", "-o", "wide").succeeds(t).golden(t, "why-granted-wide")
	why(client, "orders", "-o", "yaml").succeeds(t).golden(t, "why-granted-yaml")
	why(client, resource, "--scope", "Orders.Write.All").exits(t, 1).golden(t, "why-scope")
	why(client, resource, "--grant-type", "tls_client_auth").exits(t, 1).golden(t, "why-grant")
	why(client, resource, "--pod", "checkout-2").exits(t, 1).golden(t, "why-pod")
	why(client, resource, "--dpop").exits(t, 1).golden(t, "why-dpop")
	why(client, "api://nobody").exits(t, 1).golden(t, "why-unknown-resource")
	why(w.shop+"/nobody", resource).exits(t, 1).golden(t, "why-unknown-client")

	t.Run("suspended", func(t *testing.T) {
		change(t, w.client, func() { w.client.Spec.Suspend = true })
		why(client, resource).exits(t, 1).golden(t, "why-suspended-client")
		change(t, w.client, func() { w.client.Spec.Suspend = false })

		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.shop}}
		change(t, ns, func() { ns.Annotations = map[string]string{v1alpha1.AnnotationSuspend: "true"} })
		why(client, resource).exits(t, 1).golden(t, "why-suspended-namespace")
		change(t, ns, func() { ns.Annotations = nil })

		change(t, w.resource, func() { w.resource.Spec.Suspend = true })
		why(client, resource).exits(t, 1).golden(t, "why-suspended-resource")
		change(t, w.resource, func() { w.resource.Spec.Suspend = false })
	})
	t.Run("only injected pods", func(t *testing.T) {
		required := func(a v1alpha1.Admission) { w.client.Spec.Authentication.ServiceAccounts[0].Admission = a }
		change(t, w.client, func() { required(v1alpha1.AdmissionRequired) })
		why(client, resource, "--pod", "checkout-1").exits(t, 1).golden(t, "why-not-injected")
		change(t, w.client, func() { required(v1alpha1.AdmissionOptional) })
	})
	t.Run("bound to nothing, for an API that wants bound tokens", func(t *testing.T) {
		change(t, w.client, func() { w.client.Spec.TokenBinding = v1alpha1.TokenBindingNone })
		why(client, resource).exits(t, 1).golden(t, "why-unbound")
		change(t, w.client, func() { w.client.Spec.TokenBinding = v1alpha1.TokenBindingMTLS })
	})
	t.Run("a role of another resource", func(t *testing.T) {
		other := &v1alpha1.ProtectedResource{ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: "returns"}}
		other.Spec.Identifier = resource + "/returns"
		create(t, other)
		awaitReady(t, other)
		why(client, other.Spec.Identifier).exits(t, 1).golden(t, "why-other-resource")
	})
	t.Run("conflict", func(t *testing.T) {
		// Two came to claim one identifier while the platform changed its mind.
		const identifier = "https://pay.example"
		allow := map[string]string{v1alpha1.AnnotationIdentifiers: identifier}
		older := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "pay-why", Annotations: allow}}
		create(t, older)
		first := &v1alpha1.ProtectedResource{ObjectMeta: metav1.ObjectMeta{Namespace: older.Name, Name: "pay"}}
		first.Spec.Identifier = identifier
		create(t, first)
		awaitReady(t, first)
		change(t, older, func() { older.Annotations = nil })
		orders := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.orders}}
		change(t, orders, func() { orders.Annotations = allow })
		second := &v1alpha1.ProtectedResource{ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: "pay"}}
		second.Spec.Identifier = identifier
		testenv.Eventually(t, func(ctx context.Context) error { // admission has heard of both changes
			if time.Since(first.CreationTimestamp.Time) < 2*time.Second {
				return errors.New("too early to be younger")
			}
			return env.Client.Create(ctx, second.DeepCopy())
		})
		change(t, older, func() { older.Annotations = allow })
		why(client, w.orders+"/pay").exits(t, 1).golden(t, "why-conflict")
		why(client, identifier).exits(t, 1).says(t, "pay-why/pay")
	})
	t.Run("no live pin", func(t *testing.T) {
		bare := newClient(w, "bare", "orders-read")
		bare.Spec.Authentication.ServiceAccounts[0].Name = "checkout"
		create(t, bare)
		awaitReady(t, bare)
		why(w.shop+"/bare", resource).exits(t, 1).golden(t, "why-no-pin")
	})
}

func TestWhyToldToThoseWhoMayNotReadAll(t *testing.T) {
	w := newWorld(t, "why-unseen")
	client, resource := w.shop+"/checkout", "api://"+w.orders
	w.pod(t, "checkout", "checkout-1")

	run(t, w.carol, "why", client, resource).exits(t, 1).golden(t, "why-unseen-pending")
	run(t, w.alice, "why", client, "orders", "-n", w.orders).exits(t, 1).golden(t, "why-unseen-client-pending")
	w.decide(t, "checkout-reads-orders", v1alpha1.DecisionApproved, nil)
	w.awaitRole(t, v1alpha1.RoleGranted)
	run(t, w.carol, "why", client, resource).exits(t, 1).golden(t, "why-unseen-granted")
	run(t, w.carol, "why", client, w.orders+"/orders").exits(t, 1).says(t, "at most 10m0s")
	run(t, w.vera, "why", client, resource).succeeds(t).golden(t, "why-viewer")
	run(t, w.alice, "why", client, resource).exits(t, 1).golden(t, "why-unseen-client")
	run(t, w.mallory, "why", client, resource).exits(t, 1).golden(t, "why-unseen-all")
}

// A command that people type again and again must not keep them waiting. The best of
// several runs counts: the machine may be busy.
func TestWhyIsQuick(t *testing.T) {
	w := newWorld(t, "why-quick")
	best := time.Hour
	for until := time.Now().Add(busy); best > quick && time.Now().Before(until); {
		began := time.Now()
		run(t, w.vera, "why", w.shop+"/checkout", w.resource.Spec.Identifier).exits(t, 1)
		best = min(best, time.Since(began))
	}
	t.Logf("%s", best)
	if best > quick {
		t.Errorf("it takes %s; want %s at most", best, quick)
	}
}

func TestWhyTypedWrongly(t *testing.T) {
	w := newWorld(t, "why-typed")
	for sentence, args := range map[string][]string{
		"no resource":         {"checkout"},
		"another grant":       {"checkout", "api://orders", "--grant-type", "password"},
		"another token type":  {"checkout", "api://orders", "--token-type", "mac"},
		"no such format":      {"checkout", "api://orders", "-o", "xml"},
		"an id and a client":  {"--trace", "x", "checkout", "api://orders"},
		"a file without cert": {"checkout", "api://orders", "--cert", "/dev/null"},
	} {
		t.Run(sentence, func(t *testing.T) {
			run(t, w.vera, append([]string{"why"}, args...)...).exits(t, 2)
		})
	}
}
