package endpoint

import (
	"encoding/json"
	"slices"
	"testing"
)

// metadata lists what the flags switch on, and nothing else.
func (s *stage) metadata(t *testing.T) {
	type document struct {
		Issuer  string            `json:"issuer"`
		Methods []string          `json:"token_endpoint_auth_methods_supported"`
		Aliases map[string]string `json:"mtls_endpoint_aliases"`
	}
	read := func(i int) (d document) {
		check(t, json.Unmarshal(s.get(t, "https://"+s.issuers[i].Address+"/.well-known/oauth-authorization-server"), &d))
		return d
	}
	on, off := read(0), read(1)
	if on.Issuer != s.url || off.Issuer != s.url {
		t.Errorf("issuers: %s, %s", on.Issuer, off.Issuer)
	}
	if on.Aliases["token_endpoint"] != "https://mtls.example/oauth2/token" || len(off.Aliases) > 0 {
		t.Errorf("aliases with --mtls-url: %v; without: %v", on.Aliases, off.Aliases)
	}
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		if !slices.Contains(on.Methods, method) || slices.Contains(off.Methods, method) {
			t.Errorf("methods with --client-secrets: %v; without: %v", on.Methods, off.Methods)
		}
	}
}
