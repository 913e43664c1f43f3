package endpoint

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// proxyName is in the certificate of the one proxy that the first issuer believes.
const proxyName = "ingress.example"

// proxied: a configured proxy names the client's certificate (RFC 9440), and nobody
// else does.
func (s *stage) proxied(t *testing.T) {
	w := s.newWorld(t)
	w.client(t, "checkout", byCertificate(v1alpha1.MethodTLSClientAuth))
	pair := w.certificate(t, "checkout")
	ask := func(peer *tls.Certificate) request {
		return request{
			path: tokenPath, certificate: peer, form: form("grant_type", "client_credentials", "client_id", w.id("checkout"), "scope", w.scope()),
			header: http.Header{"Client-Cert": {":" + base64.StdEncoding.EncodeToString(pair.Certificate[0]) + ":"}},
		}
	}
	proxy := s.proxies.issue(t, proxyName)
	if c := claimsOf(t, w.token(t, ask(proxy)).AccessToken); c.Cnf["x5t#S256"] != thumbprint(&pair) {
		t.Errorf("cnf is %v; want that of the client's certificate", c.Cnf)
	}
	elsewhere := ask(proxy)
	elsewhere.second = true
	for name, r := range map[string]request{
		"from a peer without a certificate":              ask(nil),
		"from another holder of a certificate of its CA": ask(s.proxies.issue(t, "neighbour.example")),
		"from a proxy of that name and another CA":       ask(newAuthority(t).issue(t, proxyName)),
		"where no proxy is configured":                   elsewhere,
	} {
		t.Run("refuses a certificate in a header "+name, func(t *testing.T) {
			if a := s.post(t, r); a.status != http.StatusUnauthorized && a.status != http.StatusBadRequest {
				t.Errorf("got %d %s", a.status, a.raw)
			}
		})
	}
}
