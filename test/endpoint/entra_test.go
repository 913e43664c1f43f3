package endpoint

import (
	"encoding/json"
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// entra: the requests of Microsoft's libraries.
func (s *stage) entra(t *testing.T) {
	w := s.newWorld(t)
	auth := byAccount("checkout")
	auth.Certificate = &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth, v1alpha1.MethodPrivateKeyJWT}}
	w.client(t, "checkout", auth)
	pair := w.certificate(t, "checkout")
	path := "/" + w.shop + "/oauth2/v2.0/token"
	assertion := w.assertion(t, w.pod(t, w.shop, "checkout", "checkout-0"))
	extra := form("grant_type", "client_credentials", "scope", w.scope(), "client_id", w.id("checkout"), "client_info", "1", "claims", `{"access_token":{}}`,
		"x-client-SKU", "msal.js.node", "x-client-VER", "7.2.0", "x-ms-lib-capability", "retry-after, h429", "client-request-id", "in-the-body")

	t.Run("a federated assertion", func(t *testing.T) {
		a := w.token(t, request{path: path + "?client-request-id=5e8c", form: with(extra, pairs(federated(assertion))...), certificate: &pair})
		if c := claimsOf(t, a.AccessToken); c.AppID != w.id("checkout") || c.Tid != w.shop || len(c.Roles) != 1 {
			t.Errorf("claims: %+v", c)
		}
	})
	t.Run("a certificate's assertion", func(t *testing.T) {
		signed := sign(t, pair.PrivateKey, object{"x5t#S256": thumbprint(&pair), "typ": "JWT"}, assertionClaims(w.id("checkout"), s.url+path))
		w.token(t, request{path: path, form: with(extra, pairs(federated(signed))...), certificate: &pair})
	})
	t.Run("a certificate alone, for a token of the type mtls_pop", func(t *testing.T) {
		a := w.token(t, request{path: path, form: with(extra, "token_type", "mtls_pop"), certificate: &pair})
		if a.TokenType != string(oauth.TokenMTLSPoP) {
			t.Errorf("token_type is %s", a.TokenType)
		}
	})
	t.Run("an assertion of the type jwt-pop, which needs the certificate", func(t *testing.T) {
		r := request{path: path, certificate: &pair, form: with(extra, "token_type", "mtls_pop",
			"client_assertion", assertion, "client_assertion_type", oauth.AssertionTypeJWTPoP)}
		w.token(t, r)
		r.certificate = nil
		s.post(t, r).wants(t, oauth.ErrAssertionNeedsCertificate)
	})
	t.Run("refuses a client of another tenant", func(t *testing.T) {
		r := request{path: "/" + w.orders + "/oauth2/v2.0/token", form: with(extra, pairs(federated(assertion))...), certificate: &pair}
		s.post(t, r).wants(t, oauth.ErrIdentity)
	})
	t.Run("refuses with the fields that the libraries read", func(t *testing.T) {
		r := request{path: path, form: with(extra, "scope", w.identifier+"/Nothing"), certificate: &pair, header: map[string][]string{"Client-Request-Id": {"5e8c"}}}
		a := s.post(t, r)
		var body struct {
			Codes         []int  `json:"error_codes"`
			Timestamp     string `json:"timestamp"`
			TraceID       string `json:"trace_id"`
			CorrelationID string `json:"correlation_id"`
		}
		check(t, json.Unmarshal([]byte(a.raw), &body))
		if len(body.Codes) != 1 || body.Timestamp == "" || body.TraceID == "" || body.CorrelationID != "5e8c" {
			t.Errorf("got %s", a.raw)
		}
	})
}
