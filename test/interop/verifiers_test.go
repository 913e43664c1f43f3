//go:build e2e

package interop

import (
	"strings"
	"testing"
)

// mtlsToken is a token for the orders API that is bound to a certificate.
func (w *world) mtlsToken(t *testing.T) (token string, certificate pair) {
	t.Helper()
	certificate = w.issued(t, "mtls")
	result := w.golang(t, "clientcredentials", w.clientCredentials("mtls",
		object{"certificate": certificate.certificate, "certificateKey": certificate.key}))
	token, _ = result.one(t, "token")["access_token"].(string)
	return token, certificate
}

func TestOtherVerifiersTakeTheToken(t *testing.T) {
	token, certificate := lanyard.mtlsToken(t)
	verifiers := map[string]func(*testing.T, object) outcome{
		"jose":    func(t *testing.T, input object) outcome { t.Helper(); return lanyard.node(t, "jose.mjs", input) },
		"go-oidc": func(t *testing.T, input object) outcome { t.Helper(); return lanyard.golang(t, "oidc", input) },
	}
	for name, verify := range verifiers {
		input := func(audience, token string) object {
			return object{"issuer": lanyard.issuer, "ca": lanyard.caFile(), "audience": audience, "token": token}
		}
		t.Run(name+" sees the claims, cnf among them", func(t *testing.T) {
			claims, _ := verify(t, input("api://orders", token)).one(t, "verified")["payload"].(object)
			cnf, _ := claims["cnf"].(object)
			if claims["sub"] != "shop/mtls" || cnf["x5t#S256"] != certificate.x5t() {
				t.Errorf("claims: %v", claims)
			}
		})
		t.Run(name+" refuses it for another API", func(t *testing.T) {
			if says := verify(t, input("api://payments", token)).refused(t); !strings.Contains(says, "aud") {
				t.Errorf("it does not speak of the audience: %s", says)
			}
		})
		t.Run(name+" refuses one that was changed", func(t *testing.T) {
			changed := token[:len(token)-8] + "AAAAAAAA"
			if says := verify(t, input("api://orders", changed)).refused(t); !strings.Contains(says, "signature") {
				t.Errorf("it does not speak of the signature: %s", says)
			}
		})
	}
}
