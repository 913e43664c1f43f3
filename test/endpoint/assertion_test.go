package endpoint

import (
	"crypto/tls"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// privateKeyJWT: a certificate that cert-manager made signs the client's assertions.
func (s *stage) privateKeyJWT(t *testing.T) {
	w := s.newWorld(t, unbound)
	w.client(t, "checkout", byCertificate(v1alpha1.MethodPrivateKeyJWT), binding(v1alpha1.TokenBindingNone))
	w.client(t, "reuses", byCertificate(v1alpha1.MethodPrivateKeyJWT), binding(v1alpha1.TokenBindingNone), func(c *v1alpha1.OAuthClient) {
		c.Spec.Authentication.Certificate.AssertionReuse = v1alpha1.AssertionReuseUntilExpiry
	})
	w.client(t, "bound", byCertificate(v1alpha1.MethodPrivateKeyJWT))
	w.client(t, "only-mtls", byCertificate(v1alpha1.MethodTLSClientAuth), binding(v1alpha1.TokenBindingNone))
	pairs := map[string]*tls.Certificate{}
	for _, name := range []string{"checkout", "reuses", "bound", "only-mtls"} {
		pair := w.certificate(t, name)
		pairs[name] = &pair
	}
	ask := func(name, signer, audience string) request {
		assertion := sign(t, pairs[signer].PrivateKey, object{"x5t#S256": thumbprint(pairs[signer])}, assertionClaims(w.id(name), audience))
		return request{path: tokenPath, form: with(federated(assertion), "grant_type", "client_credentials", "scope", w.scope())}
	}
	w.token(t, ask("checkout", "checkout", s.url))

	t.Run("for the token endpoint that is called", func(t *testing.T) {
		if err := s.post(t, ask("checkout", "checkout", s.url+tokenPath)).served(); err != nil {
			t.Error(err)
		}
	})
	t.Run("binds the token to the connection's certificate", func(t *testing.T) {
		r := ask("bound", "bound", s.url)
		r.certificate = pairs["bound"]
		if c := claimsOf(t, w.token(t, r).AccessToken); c.Cnf["x5t#S256"] != thumbprint(pairs["bound"]) {
			t.Errorf("cnf is %v", c.Cnf)
		}
	})
	t.Run("refuses an assertion a second time", func(t *testing.T) {
		r := ask("checkout", "checkout", s.url)
		if err := s.post(t, r).served(); err != nil {
			t.Fatal(err)
		}
		s.post(t, r).wants(t, oauth.ErrIdentity)
	})
	t.Run("serves one a second time where the client says so", func(t *testing.T) {
		r := ask("reuses", "reuses", s.url)
		for range 2 {
			w.token(t, r)
		}
	})
	t.Run("refuses another client's key, another audience, and a method that is not listed", func(t *testing.T) {
		s.post(t, ask("checkout", "bound", s.url)).wants(t, oauth.ErrIdentity)
		s.post(t, ask("checkout", "checkout", "https://elsewhere.example")).wants(t, oauth.ErrIdentity)
		s.post(t, ask("only-mtls", "only-mtls", s.url)).wants(t, oauth.ErrIdentity)
	})
	t.Run("refuses a distrusted key within a second", func(t *testing.T) {
		cc := &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "checkout"}}
		distrust := func(all ...v1alpha1.Thumbprint) {
			change(t, s, cc, func(cc *v1alpha1.ClientCertificate) { cc.Spec.Distrust = all })
		}
		within(t, "distrust", func() func() error {
			distrust()
			s.eventually(t, func() error { return s.post(t, ask("checkout", "checkout", s.url)).served() })
			distrust(v1alpha1.Thumbprint(thumbprint(pairs["checkout"])))
			return func() error { return s.post(t, ask("checkout", "checkout", s.url)).refused(oauth.ErrIdentity) }
		})
	})
}
