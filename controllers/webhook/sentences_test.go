package webhook

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

func TestWarningsNameTheFirstTenAndCountTheRest(t *testing.T) {
	clients := func(n int) keys {
		lost := keys{}
		for i := range n {
			lost[types.NamespacedName{Namespace: "shop", Name: fmt.Sprintf("c%02d", i)}] = struct{}{}
		}
		return lost
	}
	ten := "shop/c00, shop/c01, shop/c02, shop/c03, shop/c04, shop/c05, shop/c06, shop/c07, shop/c08, shop/c09"
	for n, want := range map[int][]string{
		0:  nil,
		1:  {"it takes it from 1 client: shop/c00"},
		2:  {"it takes it from 2 clients: shop/c00, shop/c01"},
		10: {"it takes it from 10 clients: " + ten},
		12: {"it takes it from 12 clients: " + ten + " and 2 more"},
	} {
		if diff := cmp.Diff(want, losing("it takes it from", clients(n))); diff != "" {
			t.Errorf("%d clients (-want +got):\n%s", n, diff)
		}
	}
}

func TestNewlyAskedAreRolesThatWereNotAskedFor(t *testing.T) {
	role := func(name string) v1alpha1.RoleReference {
		return v1alpha1.RoleReference{Namespace: "orders", Name: name}
	}
	asking := func(roles ...v1alpha1.RoleReference) *v1alpha1.OAuthClient {
		return &v1alpha1.OAuthClient{Spec: v1alpha1.OAuthClientSpec{Roles: roles}}
	}
	after := asking(role("a"), role("b"))
	if diff := cmp.Diff([]v1alpha1.RoleReference{role("b")}, newlyAsked(asking(role("a"), role("c")), after)); diff != "" {
		t.Errorf("of a changed client (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(after.Spec.Roles, newlyAsked(nil, after)); diff != "" {
		t.Errorf("of a new client (-want +got):\n%s", diff)
	}
	if len(after.Spec.Roles) != 2 {
		t.Error("the client itself was changed")
	}
}
