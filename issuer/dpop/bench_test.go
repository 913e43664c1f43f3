package dpop_test

import (
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/dpop"
)

// BenchmarkProof is all that a request with a proof costs more than one without.
func BenchmarkProof(b *testing.B) {
	for _, alg := range []string{"ES256", "EdDSA", "RS256"} {
		b.Run(alg, func(b *testing.B) {
			raw, want := proof(b, goodHeader(b, alg), boundClaims()), atAPI()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := judge(raw, want); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseAndCheck is what is done before anything costly.
func BenchmarkParseAndCheck(b *testing.B) {
	raw, want := proof(b, goodHeader(b, "ES256"), boundClaims()), atAPI()
	b.ReportAllocs()
	for b.Loop() {
		p, err := dpop.Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Check(want); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNonceAccepts(b *testing.B) {
	nonces := dpop.NewNonces(key(1), key(2))
	nonce := nonces.Make(now)
	b.ReportAllocs()
	for b.Loop() {
		if !nonces.Accepts(nonce, now) {
			b.Fatal("refused")
		}
	}
}
