//go:build e2e

package interop

import (
	"fmt"
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

// verifiers are those of other makers; they know the issuer's URL and nothing else.
func verifiers() map[string]func(*testing.T, object) outcome {
	return map[string]func(*testing.T, object) outcome{
		"jose":    func(t *testing.T, input object) outcome { t.Helper(); return lanyard.node(t, "jose.mjs", input) },
		"go-oidc": func(t *testing.T, input object) outcome { t.Helper(); return lanyard.golang(t, "oidc", input) },
	}
}

func TestOtherVerifiersTakeTheToken(t *testing.T) {
	token, certificate := lanyard.mtlsToken(t)
	for name, verify := range verifiers() {
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

// The platform changes the algorithm and drops the key that signs: the next token is signed by
// another, and whoever verifies finds it. (kube-apiserver keeps the keys it has for as long as
// max-age says, and looks for no others before; it knows no EdDSA.)
func TestOtherVerifiersFollowAChangeOfAlgorithm(t *testing.T) {
	for _, algorithm := range []string{"RS256", "PS256", "EdDSA", "ES256"} {
		t.Run(algorithm, func(t *testing.T) {
			lanyard.signWith(t, algorithm)
			token, _ := lanyard.mtlsToken(t)
			for name, verify := range verifiers() {
				input := object{"issuer": lanyard.issuer, "ca": lanyard.caFile(), "audience": "api://orders", "token": token}
				if claims, _ := verify(t, input).one(t, "verified")["payload"].(object); claims["sub"] != "shop/mtls" {
					t.Errorf("%s sees the claims %v", name, claims)
				}
			}
		})
	}
}

// signWith has the controller make the next key for an algorithm, and drop the one that signs.
func (w *world) signWith(t *testing.T, algorithm string) {
	t.Helper()
	programs, err := w.programs()
	if err != nil {
		t.Fatal(err)
	}
	controller := programs[0]
	controller.args = append(controller.args, "--signing-algorithm="+algorithm)
	if err := w.launch(t.Context(), controller); err != nil {
		t.Fatal(err)
	}
	_, err = w.kubectl(t.Context(), "annotate", "-n", systemNamespace, "secret", "lanyard-signing-keys", "lanyard.dev/drop-key=current", "--overwrite")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		token, _ := w.mtlsToken(t)
		if got := header(t, token)["alg"]; got != algorithm {
			return fmt.Errorf("tokens are signed with %v, want %s", got, algorithm)
		}
		return nil
	})
}
