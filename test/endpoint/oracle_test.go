package endpoint

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// oracle: the requests of Oracle's identity domains.
func (s *stage) oracle(t *testing.T) {
	const path = "/oauth2/v1/token"
	w := s.newWorld(t)
	w.client(t, "checkout", byCertificate(v1alpha1.MethodTLSClientAuth), func(c *v1alpha1.OAuthClient) {
		c.Spec.GrantTypes = []v1alpha1.GrantType{"tls_client_auth"}
	})
	w.client(t, "standard", byCertificate(v1alpha1.MethodTLSClientAuth))
	pair, standard := w.certificate(t, "checkout"), w.certificate(t, "standard")
	ask := request{path: path, certificate: &pair, form: form("grant_type", "tls_client_auth", "client_id", w.id("checkout"), "scope", w.scope())}
	if c := claimsOf(t, w.token(t, ask).AccessToken); len(c.Roles) != 1 || c.Cnf["x5t#S256"] != thumbprint(&pair) {
		t.Errorf("claims: %+v", c)
	}
	for _, scope := range []string{w.scope() + " urn:opc:resource:expiry=120", "urn:opc:idm:__myscopes__ urn:opc:resource:expiry=120"} {
		r := ask
		r.form = with(ask.form, "scope", scope)
		if a := w.token(t, r); a.ExpiresIn > 120 || a.ExpiresIn < 100 {
			t.Errorf("%s: the token lives %d s", scope, a.ExpiresIn)
		}
	}
	t.Run("never gives a longer life than the client's", func(t *testing.T) {
		r := ask
		r.form = with(ask.form, "scope", w.scope()+" urn:opc:resource:expiry=86400")
		if a := w.token(t, r); a.ExpiresIn > 600 {
			t.Errorf("the token lives %d s", a.ExpiresIn)
		}
	})
	t.Run("refuses a secret beside the certificate, with a number of its own", func(t *testing.T) {
		r := ask
		r.header = http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(w.id("checkout")+":secret"))}}
		s.post(t, r).wants(t, oauth.ErrSecretBesideCertificate)
	})
	t.Run("refuses the grant to a client that does not list it, and other grants to one that lists no other", func(t *testing.T) {
		r := ask
		r.certificate, r.form = &standard, with(ask.form, "client_id", w.id("standard"), "grant_type", "client_credentials")
		w.token(t, r)
		r.form = with(r.form, "grant_type", "tls_client_auth")
		s.post(t, r).wants(t, oauth.ErrGrantNotAllowed)
		r = ask
		r.form = with(ask.form, "grant_type", "client_credentials")
		s.post(t, r).wants(t, oauth.ErrGrantNotAllowed)
	})
}
