package dpop_test

import (
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/dpop"
)

// FuzzProof: what is read as a proof has all that a server relies on, and what
// passes every check passes for this one request only.
func FuzzProof(f *testing.F) {
	for alg := range keys() {
		f.Add(goodHeader(f, alg).json(f), goodClaims().json(f))
	}
	f.Add(goodHeader(f, "ES256").json(f), boundClaims().json(f))
	f.Add(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"","y":""}}`, `{"jti":"\ud800","htm":"POST","htu":"https://[","iat":1e3}`)
	f.Add(`{"typ":"dpop+jwt","alg":"RS256","jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}}`, `{"htu":"%zz"}`)
	f.Fuzz(func(t *testing.T, header, claims string) {
		p, err := dpop.Parse(sign(t, "ES256", header, claims))
		if err != nil {
			return
		}
		if p.Thumbprint == "" || p.ID == "" || len(p.ID) > dpop.MaxIDBytes || p.IssuedAt.IsZero() {
			t.Fatalf("read %+v", p)
		}
		if p.Check(atTokenEndpoint()) == nil && p.Check(atAPI()) == nil {
			t.Fatal("one proof for two requests")
		}
		if err := p.Verify(); err == nil && p.Thumbprint != thumbprintES256(t) {
			t.Fatal("verified with another key than the one that signed")
		}
	})
}

func thumbprintES256(t testing.TB) string {
	t.Helper()
	p, err := dpop.Parse(proof(t, goodHeader(t, "ES256"), goodClaims()))
	if err != nil {
		t.Fatal(err)
	}
	return p.Thumbprint
}
