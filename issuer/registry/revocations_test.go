package registry_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
)

func TestRevocations(t *testing.T) {
	r := registry.New("cluster.local")
	object := func(name string, jtis ...string) *v1alpha1.TokenRevocation {
		o := &v1alpha1.TokenRevocation{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: name}}
		for _, jti := range jtis {
			o.Spec.Tokens = append(o.Spec.Tokens, v1alpha1.RevokedToken{ClientID: "shop/checkout", JTI: jti})
		}
		return o
	}
	expect := func(step string, count int, revoked ...string) {
		t.Helper()
		if got := r.RevokedBy("shop/checkout"); got != count {
			t.Errorf("%s: the client has %d revoked tokens, want %d", step, got, count)
		}
		want := map[string]bool{}
		for _, jti := range revoked {
			want[jti] = true
		}
		for _, jti := range []string{"a", "b", "c"} {
			if r.Revoked(jti) != want[jti] {
				t.Errorf("%s: %s is revoked: %t, want %t", step, jti, r.Revoked(jti), want[jti])
			}
		}
	}
	expect("at first", 0)
	r.ApplyRevocation(object("one", "a", "b"))
	expect("one object", 2, "a", "b")
	r.ApplyRevocation(object("one", "a", "b"))
	expect("the same again, as after a new list", 2, "a", "b")
	r.ApplyRevocation(object("two", "c"))
	expect("another", 3, "a", "b", "c")
	r.ApplyRevocation(object("one", "b"))
	expect("an object of the same name made anew", 2, "b", "c")
	r.ApplyRevocation(object("three", "c", "b"))
	expect("what two objects revoke", 4, "b", "c")
	r.DeleteRevocation("lanyard-system", "three")
	expect("one of the two is gone", 2, "b", "c")
	r.ApplyRevocation(object("three", "c"))
	r.ApplyRevocation(object("three", "a"))
	expect("one of the two was made anew without it", 3, "a", "b", "c")
	r.DeleteRevocation("lanyard-system", "three")
	r.DeleteRevocation("lanyard-system", "one")
	expect("one is gone", 1, "c")
	r.DeleteRevocation("lanyard-system", "one")
	r.DeleteRevocation("lanyard-system", "two")
	expect("all are gone", 0)
	if n := r.Sizes()["TokenRevocation"]; n != 0 {
		t.Errorf("%d objects are counted", n)
	}
}
