package verifier_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/test/testcert"
	"github.com/lanyard-dev/lanyard/verifier"
)

// signersOfEveryKind are those an issuer may be configured for.
func signersOfEveryKind(t *testing.T) map[jose.Algorithm]*jose.Signer {
	t.Helper()
	newRSA := func() crypto.Signer {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[jose.Algorithm]*jose.Signer{
		jose.ES256: newSigner(t),
		jose.RS256: signerOf(t, jose.RS256, newRSA()),
		jose.PS256: signerOf(t, jose.PS256, newRSA()),
		jose.EdDSA: signerOf(t, jose.EdDSA, ed),
	}
}

func TestAcceptsTokensOfEveryAlgorithm(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	for name, signer := range signersOfEveryKind(t) {
		t.Run(string(name), func(t *testing.T) {
			issuer.publish(signer)
			api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
			wantAccepted(t, api.callWith(sign(t, signer, "at+jwt", issuer.claimsFor(cert.Leaf)), cert))
			wantRefused(t, api.callWith(sign(t, signer, "at+jwt", issuer.claimsFor(cert.Leaf))), 401, "invalid_token", "connect with it")
		})
	}
}

// While an issuer changes from one algorithm to another, it publishes both.
func TestAcceptsTwoAlgorithmsAtOnce(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	signers := signersOfEveryKind(t)
	before, after := signers[jose.ES256], signers[jose.PS256]
	issuer.publish(before, after)
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	for _, signer := range []*jose.Signer{before, after, before} {
		wantAccepted(t, api.callWith(sign(t, signer, "at+jwt", issuer.claimsFor(cert.Leaf)), cert))
	}
	// Whoever wants one of them only, says so.
	strict := serve(t, issuer.verifier(func(c *verifier.Config) { c.Algorithms = []jose.Algorithm{jose.ES256} }).Middleware(http.HandlerFunc(hello)))
	wantAccepted(t, strict.callWith(sign(t, before, "at+jwt", issuer.claimsFor(cert.Leaf)), cert))
	wantRefused(t, strict.callWith(sign(t, after, "at+jwt", issuer.claimsFor(cert.Leaf)), cert), 401, "invalid_token", "algorithm")
}

// A key is for the algorithm it is published with: the same RSA key does not
// verify the other padding.
func TestRefusesAlgorithmThatTheKeyIsNotFor(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rs, ps := signerOf(t, jose.RS256, key), signerOf(t, jose.PS256, key)
	issuer.publish(ps)
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	wantAccepted(t, api.callWith(sign(t, ps, "at+jwt", issuer.claimsFor(cert.Leaf)), cert))
	wantRefused(t, api.callWith(sign(t, rs, "at+jwt", issuer.claimsFor(cert.Leaf)), cert), 401, "invalid_token", "algorithm")
}
