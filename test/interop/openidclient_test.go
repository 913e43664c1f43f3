//go:build e2e

package interop

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// openIDClient is the input of openid-client.mjs for a client of the shop.
func (w *world) openIDClient(name, method string, more object) object {
	input := object{"issuer": w.issuer, "clientID": "shop/" + name, "method": method, "scope": "api://orders/.default"}
	maps.Copy(input, more)
	return input
}

func TestOpenIDClientReadsTheMetadata(t *testing.T) {
	for name, algorithm := range map[string]string{
		"of OAuth (RFC 8414)":         "oauth2",
		"of OpenID Connect Discovery": "oidc",
	} {
		t.Run(name, func(t *testing.T) {
			result := lanyard.node(t, "openid-client.mjs", object{
				"issuer": lanyard.issuer, "clientID": "shop/mtls", "method": "tls_client_auth", "algorithm": algorithm,
			})
			metadata, _ := result.one(t, "metadata")["metadata"].(object)
			want := object{
				"issuer": lanyard.issuer, "token_endpoint": lanyard.issuer + "/oauth2/token",
				"jwks_uri": lanyard.issuer + "/oauth2/keys", "introspection_endpoint": lanyard.issuer + "/oauth2/introspect",
				"revocation_endpoint": lanyard.issuer + "/oauth2/revoke", "tls_client_certificate_bound_access_tokens": true,
			}
			got := object{}
			for name := range want {
				got[name] = metadata[name]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenIDClientAuthenticates(t *testing.T) {
	mtls, assertion := lanyard.issued(t, "mtls"), lanyard.imported(t, "assertion")
	secret := lanyard.clientSecret(t, "shop", "secret")
	for name, test := range map[string]struct {
		client, method string
		more           object
		cnf            any
	}{
		"with a secret in the header (client_secret_basic)": {"secret", "client_secret_basic", object{"secret": secret}, nil},
		"with a secret in the form (client_secret_post)":    {"secret", "client_secret_post", object{"secret": secret}, nil},
		"with a signed assertion (private_key_jwt)": {
			"assertion", "private_key_jwt", object{"key": assertion.key, "kid": assertion.x5t(), "alg": "ES256"}, nil,
		},
		"with its certificate (tls_client_auth)": {
			"mtls", "tls_client_auth", object{"certificate": mtls.certificate, "certificateKey": mtls.key}, boundTo(mtls),
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := lanyard.node(t, "openid-client.mjs", lanyard.openIDClient(test.client, test.method, test.more))
			checkToken(t, result.one(t, "token"), ordersToken(test.client, test.cnf))
		})
	}
	t.Run("and not with a wrong secret", func(t *testing.T) {
		// HTTP wants a challenge with each 401 (RFC 9110 section 15.5.2), and where there is
		// one this library speaks of nothing else.
		result := lanyard.node(t, "openid-client.mjs", lanyard.openIDClient("secret", "client_secret_post", object{"secret": secret + "x"}))
		wantInError(t, result.refused(t), `"code":"OAUTH_WWW_AUTHENTICATE_CHALLENGE","status":401`)
	})
}

func TestOpenIDClientBindsTokensToAKey(t *testing.T) {
	key := lanyard.imported(t, "dpop")
	result := lanyard.node(t, "openid-client.mjs", lanyard.openIDClient("dpop", "private_key_jwt",
		object{"key": key.key, "kid": key.x5t(), "alg": "ES256", "dpop": true, "times": 2, "resource": lanyard.orders + "/orders"}))
	tokens := result.all(t, "token")
	if len(tokens) != 2 {
		t.Fatalf("%d tokens", len(tokens))
	}
	for _, token := range tokens {
		if token["token_type"] != "dpop" { // openid-client compares, and gives, lower case
			t.Errorf("token_type %v", token["token_type"])
		}
		text, _ := token["access_token"].(string)
		cnf, _ := payload(t, text)["cnf"].(object)
		if thumbprint, _ := cnf["jkt"].(string); len(thumbprint) != 43 || len(cnf) != 1 {
			t.Errorf("cnf %v, want a jkt and nothing else", cnf)
		}
	}
	if answer := result.one(t, "resource"); answer["status"] != 200.0 {
		t.Errorf("the orders API answers %v", answer)
	}
	// Asked for a nonce once, the library repeats the request with it, and knows it the next time.
	var got []any
	for _, exchange := range result.all(t, "exchange") {
		if exchange["path"] == "/oauth2/token" {
			got = append(got, exchange["status"], exchange["nonce"])
		}
	}
	if diff := cmp.Diff([]any{400.0, true, 200.0, true, 200.0, true}, got); diff != "" {
		t.Errorf("status and DPoP-Nonce of each answer (-want +got):\n%s", diff)
	}
}

func TestOpenIDClientIntrospectsAndRevokes(t *testing.T) {
	mtls := lanyard.issued(t, "mtls")
	own := lanyard.node(t, "openid-client.mjs", lanyard.openIDClient("mtls", "tls_client_auth",
		object{"certificate": mtls.certificate, "certificateKey": mtls.key, "introspect": true}))
	token, _ := own.one(t, "token")["access_token"].(string)
	checkIntrospection(t, own.one(t, "introspection"), mtls)

	api := object{
		"issuer": lanyard.issuer, "clientID": "orders/api", "method": "client_secret_basic",
		"secret": lanyard.clientSecret(t, "orders", "api"), "token": token, "introspect": true,
	}
	t.Run("the API sees the token of its client", func(t *testing.T) {
		checkIntrospection(t, lanyard.node(t, "openid-client.mjs", api).one(t, "introspection"), mtls)
	})
	t.Run("a stranger does not", func(t *testing.T) {
		stranger := lanyard.openIDClient("secret", "client_secret_basic", object{
			"secret": lanyard.clientSecret(t, "shop", "secret"), "token": token, "introspect": true, "scope": "",
		})
		if answer := lanyard.node(t, "openid-client.mjs", stranger).one(t, "introspection"); answer["active"] != false || len(answer) != 2 {
			t.Errorf("introspection: %v, want active: false alone", answer)
		}
	})
	t.Run("a revoked token is inactive, for the API too", func(t *testing.T) {
		result := lanyard.node(t, "openid-client.mjs", lanyard.openIDClient("mtls", "tls_client_auth", object{
			"certificate": mtls.certificate, "certificateKey": mtls.key, "token": token, "revoke": true, "scope": "",
		}))
		result.one(t, "revocation")
		if answer := result.one(t, "introspection"); answer["active"] != false {
			t.Errorf("introspection by its client: %v", answer)
		}
		if answer := lanyard.node(t, "openid-client.mjs", api).one(t, "introspection"); answer["active"] != false {
			t.Errorf("introspection by the API: %v", answer)
		}
	})
}

func checkIntrospection(t *testing.T, answer object, certificate pair) {
	t.Helper()
	want := object{
		"active": true, "client_id": "shop/mtls", "sub": "shop/mtls", "aud": "api://orders",
		"scope": "api://orders/Orders.Read.All", "cnf": boundTo(certificate),
	}
	got := object{}
	for name := range want {
		got[name] = answer[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("introspection (-want +got):\n%s", diff)
	}
}
