//go:build e2e

package interop

import (
	"encoding/hex"
	"maps"
	"testing"
)

// msal is the input of msal.mjs for a client of the shop: the authority's path is the namespace.
func (w *world) msal(name, mode string, more object) object {
	input := object{
		"authority": w.issuer + "/shop", "clientID": "shop/" + name, "mode": mode, "scopes": []string{"api://orders/.default"},
	}
	maps.Copy(input, more)
	return input
}

// protocolModes are msal-node's: they differ in where it looks for the metadata.
func protocolModes() map[string]string {
	return map[string]string{
		"AAD":  "/shop/v2.0/.well-known/openid-configuration",
		"OIDC": "/shop/.well-known/openid-configuration",
	}
}

// msalCertificate is the credential of the client entra, which signs with PS256.
func (w *world) msalCertificate(t *testing.T) object {
	t.Helper()
	certificate := w.issued(t, "entra")
	return object{"thumbprint": hex.EncodeToString(certificate.thumbprint[:]), "key": certificate.key}
}

func TestMSALGetsTokensFromAnAuthorityOfOurs(t *testing.T) {
	for mode, metadata := range protocolModes() {
		for name, test := range map[string]struct {
			client string
			more   object
		}{
			"with a secret":                {"secret", object{"secret": lanyard.clientSecret(t, "shop", "secret")}},
			"with a certificate":           {"entra", lanyard.msalCertificate(t)},
			"with a service account token": {"federated", object{"assertion": lanyard.serviceAccountToken(t)}},
			"with claims, which are ignored": {
				"federated", object{"assertion": lanyard.serviceAccountToken(t), "claims": `{"access_token":{"xms_cc":{"values":["cp1"]}}}`},
			},
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				result := lanyard.node(t, "msal.mjs", lanyard.msal(test.client, mode, test.more))
				answer := result.one(t, "token")
				checkToken(t, answer, ordersToken(test.client, nil))
				if lifetime, _ := answer["expires_in"].(float64); lifetime < 500 || lifetime > 601 {
					t.Errorf("expires in %v s, want about 600", lifetime)
				}
				exchanges := result.all(t, "exchange")
				if len(exchanges) != 2 || exchanges[0]["path"] != metadata || exchanges[1]["path"] != "/shop/oauth2/v2.0/token" {
					t.Errorf("requests: %v", exchanges)
				}
			})
		}
	}
}

func TestMSALResendsOneAssertionForASecondResource(t *testing.T) {
	input := lanyard.msal("entra", "AAD", lanyard.msalCertificate(t))
	input["scopes"] = []string{"api://orders/.default", "api://payments/.default"}
	result := lanyard.node(t, "msal.mjs", input)
	tokens := result.all(t, "token")
	if len(tokens) != 2 {
		t.Fatalf("%d tokens, want two", len(tokens))
	}
	checkToken(t, tokens[0], ordersToken("entra", nil))
	checkToken(t, tokens[1], object{"sub": "shop/entra", "aud": "api://payments"})
	var sent []any
	for _, exchange := range result.all(t, "exchange") {
		if assertion := exchange["assertion"]; assertion != nil {
			sent = append(sent, assertion)
		}
	}
	if len(sent) != 2 || sent[0] != sent[1] {
		t.Errorf("the assertions sent were %v: this version of msal-node no longer resends one, and the test shows nothing", sent)
	}

	t.Run("and from the tenant of another namespace there is none", func(t *testing.T) {
		input["authority"] = lanyard.issuer + "/orders"
		wantInError(t, lanyard.node(t, "msal.mjs", input).refused(t), "invalid_client")
	})
}
