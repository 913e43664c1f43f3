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
	certificate := lanyard.issued(t, "mtls")
	result := lanyard.golang(t, "clientcredentials", lanyard.clientCredentials("mtls",
		object{"certificate": certificate.certificate, "certificateKey": certificate.key}))
	checkToken(t, result.one(t, "token"), ordersToken("mtls", boundTo(certificate)))
}

func TestGoOAuth2SendsAServiceAccountToken(t *testing.T) {
	result := lanyard.golang(t, "clientcredentials", lanyard.clientCredentials("federated", object{"params": map[string][]string{
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {lanyard.serviceAccountToken(t)},
	}}))
	checkToken(t, result.one(t, "token"), ordersToken("federated", nil))
}
