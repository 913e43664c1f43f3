package webhook

import (
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

func TestWhoDecidedIsWritten(t *testing.T) {
	alice := newPerson(t, "alice")
	ns := env.Namespace(t, nil, nil).Name
	a := assignment(ns, "a", "reads", &v1alpha1.OAuthClient{})
	a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: "shop", Name: "checkout"}
	create(t, alice, a)
	if a.Spec.DecidedBy != "alice" || a.Spec.DecidedAt == nil {
		t.Errorf("decided by %q at %v", a.Spec.DecidedBy, a.Spec.DecidedAt)
	}
	t.Logf("%q", alice.warned.take())
}
