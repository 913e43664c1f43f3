//go:build e2e

package interop

import (
	"maps"
	"testing"
)

// clientCredentials is the input of the program clientcredentials for a client of the shop.
func (w *world) clientCredentials(name string, more object) object {
	input := object{
		"tokenURL": w.issuer + "/oauth2/token", "ca": w.caFile(), "clientID": "shop/" + name,
		"style": "params", "scopes": []string{"api://orders/.default"},
	}
	maps.Copy(input, more)
	return input
}

func TestGoOAuth2AuthenticatesByCertificate(t *testing.T) {
	ask := func(t *testing.T, client string, certificate pair) outcome {
		t.Helper()
		return lanyard.golang(t, "clientcredentials", lanyard.clientCredentials(client,
			object{"certificate": certificate.certificate, "certificateKey": certificate.key}))
	}
	for name, test := range map[string]struct {
		client      string
		certificate pair
	}{
		"of cert-manager":               {"mtls", lanyard.issued(t, "mtls")},
		"signed by itself":              {"self-signed", lanyard.imported(t, "self-signed")},
		"of a CA that says whose it is": {"pki", lanyard.imported(t, "pki")},
	} {
		t.Run(name, func(t *testing.T) {
			checkToken(t, ask(t, test.client, test.certificate).one(t, "token"), ordersToken(test.client, boundTo(test.certificate)))
		})
	}
	t.Run("and not of that CA with another's name", func(t *testing.T) {
		wantInError(t, ask(t, "pki", lanyard.imported(t, "pki-stranger")).refused(t), "invalid_client")
	})
}

func TestGoOAuth2SendsAServiceAccountToken(t *testing.T) {
	result := lanyard.golang(t, "clientcredentials", lanyard.clientCredentials("federated", object{"params": map[string][]string{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {lanyard.serviceAccountToken(t)},
	}}))
	checkToken(t, result.one(t, "token"), ordersToken("federated", nil))
}

func TestGoOAuth2SendsASecret(t *testing.T) {
	for name, test := range map[string]struct{ client, style string }{
		"in the header":                  {"secret", "header"},
		"in the form":                    {"secret", "params"},
		"where it finds out itself":      {"secret", "auto"},
		"in the form, refused elsewhere": {"secret-post", "auto"},
	} {
		t.Run(name, func(t *testing.T) {
			result := lanyard.golang(t, "clientcredentials", lanyard.clientCredentials(test.client,
				object{"style": test.style, "secret": lanyard.clientSecret(t, "shop", test.client)}))
			checkToken(t, result.one(t, "token"), ordersToken(test.client, nil))
		})
	}
	t.Run("and not where the client does not list the method", func(t *testing.T) {
		result := lanyard.golang(t, "clientcredentials", lanyard.clientCredentials("secret-post",
			object{"style": "header", "secret": lanyard.clientSecret(t, "shop", "secret-post")}))
		wantInError(t, result.refused(t), "invalid_client")
	})
}
