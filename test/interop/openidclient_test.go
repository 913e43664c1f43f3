//go:build e2e

package interop

import (
	"maps"
	"testing"
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
			if metadata["issuer"] != lanyard.issuer || metadata["token_endpoint"] != lanyard.issuer+"/oauth2/token" {
				t.Errorf("metadata: %v", metadata)
			}
		})
	}
}

func TestOpenIDClientAuthenticatesByCertificate(t *testing.T) {
	certificate := lanyard.issued(t, "mtls")
	result := lanyard.node(t, "openid-client.mjs", lanyard.openIDClient("mtls", "tls_client_auth",
		object{"certificate": certificate.certificate, "certificateKey": certificate.key}))
	checkToken(t, result.one(t, "token"), ordersToken("mtls", boundTo(certificate)))
}
