package verifier_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// prover is a client with a DPoP key.
type prover struct {
	t   testing.TB
	key *ecdsa.PrivateKey
	jwk json.RawMessage
	jkt string
	ids atomic.Int64
}

func newProver(t testing.TB) *prover {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &prover{t: t, key: private}
	if p.jkt, err = jose.Thumbprint(private.Public()); err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	p.jwk = encode(t, claims{"kty": "EC", "crv": "P-256", "x": text(point[1:33]), "y": text(point[33:])})
	return p
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// claimsFor are the claims of a good token that is bound to the prover's key.
func (p *prover) claimsFor(f *fakeIssuer) claims {
	return f.claimsFor(nil).with("cnf", claims{"jkt": p.jkt})
}

// proofFor are the claims of a good proof for a GET of the URL.
func (p *prover) proofFor(f *fakeIssuer, token, url string) claims {
	sum := sha256.Sum256([]byte(token))
	return claims{
		"jti": "proof-" + strconv.FormatInt(p.ids.Add(1), 10), "htm": "GET", "htu": url, "iat": f.clock.Now().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
}

func (p *prover) sign(c claims) string {
	p.t.Helper()
	text := func(v any) string { return base64.RawURLEncoding.EncodeToString(encode(p.t, v)) }
	signed := text(claims{"typ": "dpop+jwt", "alg": "ES256", "jwk": p.jwk}) + "." + text(c)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
	if err != nil {
		p.t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// withProofs are the headers of a request with the scheme DPoP.
func withProofs(token string, proofs ...string) http.Header {
	return http.Header{"Authorization": {"DPoP " + token}, "Dpop": proofs}
}
