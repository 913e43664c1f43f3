package endpoint

import (
	"encoding/json"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// dropped: a compromised signing key ends at once, on command. Nothing after it may
// rely on tokens of before.
func (s *stage) dropped(t *testing.T) {
	h := s.holds(t, false)
	h.eventually(t, func() error { return h.both(t, true) })
	published := func(i int) string {
		var set struct {
			Keys []struct{ Kid string }
		}
		check(t, json.Unmarshal(s.get(t, "https://"+s.issuers[i].Address+"/oauth2/keys"), &set))
		return fmt.Sprint(set.Keys)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "lanyard-signing-keys"}}
	another := func() {
		h.token = s.token(t, request{form: with(federated(h.assertion(t, h.pod)), "grant_type", "client_credentials", "scope", h.scope())}).AccessToken
	}
	within(t, "the drop of a key", func() func() error {
		another()
		h.eventually(t, func() error { return h.both(t, true) })
		before := published(0)
		change(t, s, secret, func(o *corev1.Secret) { o.Annotations = map[string]string{v1alpha1.AnnotationDropKey: "current"} })
		return func() error {
			for i := range s.issuers {
				if published(i) == before {
					return fmt.Errorf("issuer %d still publishes %s", i, before)
				}
			}
			return h.both(t, false)
		}
	})
	another()
	if err := h.both(t, true); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if one, two := published(0), published(1); one != two {
		t.Errorf("the issuers publish %s and %s", one, two)
	}
	check(t, s.env.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret))
	if _, still := secret.Annotations[v1alpha1.AnnotationDropKey]; still { // the keys are in the same object
		t.Error("the command is done, and still stands on the Secret")
	}
}
