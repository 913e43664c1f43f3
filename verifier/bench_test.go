package verifier_test

import (
	"testing"

	"github.com/lanyard-dev/lanyard/test/testcert"
	"github.com/lanyard-dev/lanyard/verifier"
)

// BenchmarkVerifyRequest is what one request costs an API, HTTP and TLS not
// included.
func BenchmarkVerifyRequest(b *testing.B) {
	issuer, client, cert := newFakeIssuer(b), newProver(b), testcert.New(b, "checkout")
	const target = "https://orders.test/orders"
	b.Run("certificate", func(b *testing.B) {
		v, request := issuer.verifier(), verifier.Request{Token: issuer.sign(issuer.claimsFor(cert.Leaf)), Certificate: cert.Leaf}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.VerifyRequest(b.Context(), request); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("DPoP", func(b *testing.B) {
		v := issuer.verifier()
		request := verifier.Request{Token: issuer.sign(client.claimsFor(issuer)), Method: "GET", URLs: []string{target}}
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			request.Proofs = []string{client.sign(client.proofFor(issuer, request.Token, target))}
			b.StartTimer()
			if _, err := v.VerifyRequest(b.Context(), request); err != nil {
				b.Fatal(err)
			}
		}
	})
}
