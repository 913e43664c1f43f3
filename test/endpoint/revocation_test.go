package endpoint

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

func (s *stage) revocation(t *testing.T) {
	h := s.holds(t, true)
	h.eventually(t, func() error { return h.both(t, true) })
	own := federated(h.assertion(t, h.pod))

	t.Run("refuses somebody else's token", func(t *testing.T) {
		h.post(t, request{path: revokePath, form: with(federated(h.api), "token", h.token)}).wants(t, oauth.ErrNotOwnToken)
		if err := h.both(t, true); err != nil {
			t.Error(err)
		}
	})
	another := func(t *testing.T) string {
		t.Helper()
		return h.world.token(t, request{form: with(own, "grant_type", "client_credentials", "scope", h.scope()), certificate: h.pair}).AccessToken
	}
	t.Run("ends a token at every issuer within a second", func(t *testing.T) {
		within(t, "revocation", func() func() error {
			h.token = another(t)
			h.eventually(t, func() error { return h.both(t, true) })
			if a := h.post(t, request{path: revokePath, form: with(own, "token", h.token)}); a.status != 200 {
				t.Fatalf("revocation answers %d %s", a.status, a.raw)
			}
			if err := h.active(t, false, false); err != nil {
				t.Errorf("the issuer that was asked, at once: %v", err)
			}
			return func() error { return h.active(t, true, false) }
		})
	})
	t.Run("is an object of Lanyard's namespace until the token ends", func(t *testing.T) {
		c := claimsOf(t, h.token)
		var list v1alpha1.TokenRevocationList
		check(t, s.env.Client.List(t.Context(), &list, client.InNamespace("lanyard-system")))
		for _, r := range list.Items {
			for _, token := range r.Spec.Tokens {
				if token.JTI == c.Jti && token.ClientID == h.id("checkout") && token.ExpiresAt.Unix() == c.Exp && r.Spec.ExpiresAt.Unix() >= c.Exp {
					return
				}
			}
		}
		t.Errorf("no TokenRevocation has %+v: %+v", c, list.Items)
	})
	t.Run("answers the same for what is revoked already, and for what is no token", func(t *testing.T) {
		for _, token := range []string{h.token, "x"} {
			if a := h.post(t, request{path: revokePath, form: with(own, "token", token)}); a.status != 200 {
				t.Errorf("got %d %s", a.status, a.raw)
			}
		}
	})
	t.Run("does not touch the client's other tokens", func(t *testing.T) {
		h.token = another(t)
		if err := h.both(t, true); err != nil {
			t.Error(err)
		}
	})
	t.Run("is removed when its tokens have ended", func(t *testing.T) {
		old := create(t, s, &v1alpha1.TokenRevocation{
			ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", GenerateName: "old-"},
			Spec: v1alpha1.TokenRevocationSpec{
				ExpiresAt: metav1.NewTime(time.Now().Add(-time.Hour)),
				Tokens:    []v1alpha1.RevokedToken{{ClientID: "x", JTI: "y", ExpiresAt: metav1.NewTime(time.Now().Add(-time.Hour))}},
			},
		})
		testenv.Eventually(t, func(ctx context.Context) error {
			if err := s.env.Client.Get(ctx, client.ObjectKeyFromObject(old), old); !apierrors.IsNotFound(err) {
				return errors.Join(errors.New("it is still there"), err)
			}
			return nil
		})
	})
}
