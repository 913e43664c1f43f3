package httpapi_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
)

func TestMetadataIsCompleteAndTrue(t *testing.T) {
	const mtls = "https://mtls.example"
	algorithms := []any{"RS256", "PS256", "ES256", "ES384", "EdDSA"}
	methods := []any{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
	secrets := []any{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "client_secret_basic", "client_secret_post"}
	roots := []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/idcs-configuration"}
	tenants := []string{"/shop/v2.0/.well-known/openid-configuration", "/shop/.well-known/openid-configuration"}
	for name, c := range map[string]struct {
		edit    func(*httpapi.Config)
		paths   []string
		methods []any
		change  func(url string, want map[string]any)
	}{
		"as it is by default": {func(*httpapi.Config) {}, roots, methods, func(string, map[string]any) {}},
		"with client secrets": {func(c *httpapi.Config) { c.Secrets = true }, roots, secrets, func(string, map[string]any) {}},
		"with a host for mutual TLS": {func(c *httpapi.Config) { c.MTLSURL = mtls }, roots, methods, func(_ string, want map[string]any) {
			want["mtls_endpoint_aliases"] = map[string]any{
				"token_endpoint": mtls + "/oauth2/token", "introspection_endpoint": mtls + "/oauth2/introspect", "revocation_endpoint": mtls + "/oauth2/revoke",
			}
		}},
		"of a tenant": {func(c *httpapi.Config) { c.MTLSURL = mtls }, tenants, methods, func(url string, want map[string]any) {
			want["token_endpoint"] = url + "/shop/oauth2/v2.0/token"
			want["authorization_endpoint"] = url + "/shop/oauth2/v2.0/authorize"
			want["mtls_endpoint_aliases"] = map[string]any{
				"token_endpoint": mtls + "/shop/oauth2/v2.0/token", "introspection_endpoint": mtls + "/oauth2/introspect", "revocation_endpoint": mtls + "/oauth2/revoke",
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, c.edit)
			want := map[string]any{
				"issuer": h.url, "token_endpoint": h.url + "/oauth2/token", "jwks_uri": h.url + "/oauth2/keys",
				"introspection_endpoint": h.url + "/oauth2/introspect", "revocation_endpoint": h.url + "/oauth2/revoke",
				"grant_types_supported": []any{"client_credentials", "tls_client_auth"}, "response_types_supported": []any{}, "subject_types_supported": []any{"public"},
				"token_endpoint_auth_methods_supported": c.methods, "introspection_endpoint_auth_methods_supported": c.methods, "revocation_endpoint_auth_methods_supported": c.methods,
				"token_endpoint_auth_signing_alg_values_supported": algorithms, "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
				"revocation_endpoint_auth_signing_alg_values_supported": algorithms, "dpop_signing_alg_values_supported": algorithms,
				"id_token_signing_alg_values_supported": []any{"ES256"}, "tls_client_certificate_bound_access_tokens": true,
			}
			c.change(h.url, want)
			for _, path := range c.paths {
				r := send(t, client(t), request(t, http.MethodGet, h.url+path, "", nil))
				var got map[string]any
				if err := json.Unmarshal([]byte(r.raw), &got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("GET %s (-want +got):\n%s", path, diff)
				}
				if again := send(t, client(t), request(t, http.MethodGet, h.url+path, "", http.Header{"If-None-Match": {r.header.Get("ETag")}})); again.status != http.StatusNotModified {
					t.Errorf("GET %s again: %d", path, again.status)
				}
			}
		})
	}
}

// What the metadata names is served, and what a tenant's names is called by the
// name that assertions have to use.
func TestEndpointIsCalledByTheNameOfItsHost(t *testing.T) {
	const mtls = "https://mtls.example:8443"
	var got []string
	s := withService(t, recordEndpoint(&got), func(c *httpapi.Config) { c.MTLSURL = mtls })
	for host, want := range map[string]string{
		"": s.url, "mtls.example:8443": mtls, "MTLS.example:8443": mtls, "mtls.example": s.url, "evil.example": s.url,
	} {
		got = nil
		req := request(t, http.MethodPost, s.url+"/shop/oauth2/v2.0/token?x=1", "", nil)
		if host != "" {
			req.Host = host
		}
		if r := send(t, client(t), req); r.status != http.StatusOK {
			t.Fatalf("got %d %s", r.status, r.raw)
		}
		if diff := cmp.Diff([]string{want + "/shop/oauth2/v2.0/token"}, got); diff != "" {
			t.Errorf("Host %q (-want +got):\n%s", host, diff)
		}
	}
}
