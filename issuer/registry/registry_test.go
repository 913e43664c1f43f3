package registry_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

var born = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func meta(namespace, name string, age time.Duration) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(born.Add(-age))}
}

func client(namespace, name, id string, age time.Duration) *v1alpha1.OAuthClient {
	return &v1alpha1.OAuthClient{
		ObjectMeta: meta(namespace, name, age),
		Spec: v1alpha1.OAuthClientSpec{
			ClientID: id,
			Authentication: v1alpha1.ClientAuthentication{
				ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: "app", BoundTo: v1alpha1.BoundToPod}},
			},
			Roles: []v1alpha1.RoleReference{{Namespace: "orders", Name: "read"}},
		},
	}
}

func namespace(name, clientIDs string) *rules.Namespace {
	return rules.ParseNamespace(name, nil, map[string]string{v1alpha1.AnnotationClientIDs: clientIDs})
}

func holder(t *testing.T, r *registry.Registry, id string) string {
	t.Helper()
	c, ok := r.ClientByID(id)
	if !ok {
		return "nobody"
	}
	return c.Namespace + "/" + c.Name
}

func TestOldestAllowedClientHoldsTheID(t *testing.T) {
	r := registry.New("cluster.local")
	r.ApplyNamespace(namespace("a", "shared"))
	r.ApplyNamespace(namespace("b", "shared"))
	r.ApplyNamespace(namespace("c", ""))

	r.ApplyClient(client("b", "x", "shared", time.Hour))
	expect(t, holder(t, r, "shared"), "b/x")
	r.ApplyClient(client("a", "x", "shared", 2*time.Hour))
	expect(t, holder(t, r, "shared"), "a/x")
	// The oldest of all, but its namespace does not allow it.
	r.ApplyClient(client("c", "x", "shared", 3*time.Hour))
	expect(t, holder(t, r, "shared"), "a/x")
	r.ApplyNamespace(namespace("c", "sha*"))
	expect(t, holder(t, r, "shared"), "c/x")
	r.ApplyNamespace(namespace("c", ""))
	expect(t, holder(t, r, "shared"), "a/x")
	r.DeleteClient("a", "x")
	expect(t, holder(t, r, "shared"), "b/x")
	// Made anew by the same name in one step, and now the younger one.
	r.ApplyClient(client("a", "x", "shared", 2*time.Hour))
	r.ApplyClient(client("a", "x", "shared", time.Minute))
	expect(t, holder(t, r, "shared"), "b/x")
	r.DeleteNamespace("b")
	expect(t, holder(t, r, "shared"), "a/x")
	r.DeleteClient("a", "x")
	r.DeleteClient("a", "x")
	expect(t, holder(t, r, "shared"), "nobody")
}

func TestAClientOfAnUnknownNamespaceIsNobody(t *testing.T) {
	r := registry.New("cluster.local")
	r.ApplyClient(client("a", "x", "", 0))
	expect(t, holder(t, r, "a/x"), "nobody")
	r.ApplyNamespace(namespace("a", ""))
	expect(t, holder(t, r, "a/x"), "a/x")
}

func TestFactsHoldWhatTheClientAsksForOnTheResource(t *testing.T) {
	r := filled(0)
	c, _ := r.ClientByID("shop/x")
	f := r.Facts(c, "api://orders")
	if f.Resource == nil || !f.OnResource.OK || !f.OnClient.OK || len(f.Roles) != 1 || len(f.Roles[0].Assignments) != 2 || len(f.Certificates) != 1 {
		t.Fatalf("facts are %+v", f)
	}
	if f := r.Facts(c, "api://other"); f.Resource != nil || len(f.Roles) != 0 {
		t.Errorf("facts of an unknown resource are %+v", f)
	}
	if only, ok := r.OnlyResource(c); !ok || only != "api://orders" {
		t.Errorf("the only resource is %q, %v", only, ok)
	}
	r.DeleteAssignment("orders", "named")
	r.DeleteAssignment("orders", "selected")
	r.DeleteCertificate("shop", "x")
	if f := r.Facts(c, "api://orders"); len(f.Roles[0].Assignments) != 0 || len(f.Certificates) != 0 {
		t.Errorf("facts after deletion are %+v", f)
	}
	r.DeleteRole("orders", "read")
	if f := r.Facts(c, "api://orders"); len(f.Roles) != 0 {
		t.Errorf("facts without the role are %+v", f)
	}
	r.DeleteResource("orders", "orders")
	if f := r.Facts(c, "api://orders"); f.Resource != nil {
		t.Errorf("facts without the resource are %+v", f)
	}
	r.DeleteClient("shop", "x")
	r.DeleteNamespace("shop")
	r.DeleteNamespace("orders")
	for kind, n := range r.Sizes() {
		if n != 0 {
			t.Errorf("%d objects of kind %s are left", n, kind)
		}
	}
}

// An object that is replaced must never look gone: a reader that came between
// would refuse an honest client.
func TestAReplacedObjectIsNeverGone(t *testing.T) {
	r := filled(0)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				fill(r, i)
			}
		}
	})
	for range 20_000 {
		c, ok := r.ClientByID("shop/x")
		if !ok || len(r.ClientsByServiceAccount("shop", "app")) != 1 {
			t.Fatal("the client was gone while it was replaced")
		}
		if f := r.Facts(c, "api://orders"); f.Resource == nil || len(f.Roles) != 1 || len(f.Roles[0].Assignments) != 2 || len(f.Certificates) != 1 {
			t.Fatalf("something was gone while it was replaced: %+v", f)
		}
	}
	close(stop)
	writer.Wait()
}

func filled(i int) *registry.Registry {
	r := registry.New("cluster.local")
	fill(r, i)
	return r
}

func fill(r *registry.Registry, i int) {
	r.ApplyNamespace(rules.ParseNamespace("shop", map[string]string{"team": "shop"}, nil))
	r.ApplyNamespace(namespace("orders", ""))
	c := client("shop", "x", "", 0)
	c.Generation = int64(i)
	r.ApplyClient(c)
	r.ApplyCertificate(&v1alpha1.ClientCertificate{ObjectMeta: meta("shop", "x", 0), Spec: v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: "x"}}})
	r.ApplyResource(&v1alpha1.ProtectedResource{ObjectMeta: meta("orders", "orders", 0), Spec: v1alpha1.ProtectedResourceSpec{Identifier: "api://orders"}})
	r.ApplyRole(&v1alpha1.AppRole{ObjectMeta: meta("orders", "read", 0), Spec: v1alpha1.AppRoleSpec{ResourceRef: v1alpha1.LocalReference{Name: "orders"}, Value: "Read"}})
	ref := v1alpha1.LocalReference{Name: "read"}
	r.ApplyAssignment(&v1alpha1.AppRoleAssignment{
		ObjectMeta: meta("orders", "named", 0),
		Spec:       v1alpha1.AppRoleAssignmentSpec{RoleRef: ref, ClientRef: &v1alpha1.ClientReference{Namespace: "shop", Name: "x"}, Decision: v1alpha1.DecisionApproved},
	})
	r.ApplyAssignment(&v1alpha1.AppRoleAssignment{
		ObjectMeta: meta("orders", "selected", 0),
		Spec: v1alpha1.AppRoleAssignmentSpec{
			RoleRef: ref, Decision: v1alpha1.DecisionApproved,
			ClientSelector: &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}},
		},
	})
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The cost of a decision must not grow with the number of clients.
func BenchmarkFacts(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := filled(0)
			for i := range n {
				other := client("shop", fmt.Sprintf("c%d", i), "", 0)
				other.Spec.Authentication.ServiceAccounts[0].Name = other.Name
				r.ApplyClient(other)
			}
			b.ReportAllocs()
			for b.Loop() {
				c, _ := r.ClientByID("shop/x")
				_ = r.Facts(c, "api://orders")
			}
		})
	}
}
