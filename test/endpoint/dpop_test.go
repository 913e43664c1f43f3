package endpoint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// prover makes DPoP proofs with a key of its own (RFC 9449 section 4.2).
type prover struct {
	key  *ecdsa.PrivateKey
	x, y string
}

func newProver(t *testing.T) prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	point, err := key.PublicKey.Bytes()
	check(t, err)
	return prover{key, base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:])}
}

// thumbprint is the key's (RFC 7638 section 3).
func (p prover) thumbprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, p.x, p.y))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (p prover) proof(t *testing.T, url, nonce string) http.Header {
	t.Helper()
	header := object{"typ": "dpop+jwt", "jwk": object{"kty": "EC", "crv": "P-256", "x": p.x, "y": p.y}}
	claims := object{"jti": rand.Text(), "htm": "POST", "htu": url, "iat": time.Now().Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return http.Header{"Dpop": {sign(t, p.key, header, claims)}}
}

// dpop: tokens that are bound to a key of the client's choice.
func (s *stage) dpop(t *testing.T) {
	w := s.newWorld(t)
	w.client(t, "checkout", byAccount("checkout"), binding(v1alpha1.TokenBindingDPoP))
	pod := w.pod(t, w.shop, "checkout", "checkout-0")
	p := newProver(t)
	ask := request{path: tokenPath, form: with(federated(w.assertion(t, pod)), "grant_type", "client_credentials", "scope", w.scope())}
	first := ask
	first.header = p.proof(t, s.url+tokenPath, "")
	a := s.post(t, first)
	a.wants(t, oauth.ErrDPoPNonce)
	nonce := a.header.Get("Dpop-Nonce")
	if nonce == "" {
		t.Fatalf("there is no nonce: %v", a.header)
	}
	// The first issuer's nonce is good at the second, which shares nothing but keys.
	for _, second := range []bool{false, true} {
		r := ask
		r.second = second
		var got answer
		s.eventually(t, func() error {
			r.header = p.proof(t, s.url+tokenPath, nonce)
			got = s.post(t, r)
			return got.served()
		})
		if c := claimsOf(t, got.AccessToken); c.Cnf["jkt"] != p.thumbprint() || got.TokenType != "DPoP" {
			t.Errorf("token_type %s, cnf %v", got.TokenType, c.Cnf)
		}
	}
	t.Run("refuses a proof a second time", func(t *testing.T) {
		r := ask
		r.header = p.proof(t, s.url+tokenPath, nonce)
		if err := s.post(t, r).served(); err != nil {
			t.Fatal(err)
		}
		s.post(t, r).wants(t, oauth.ErrDPoPProof)
	})
	t.Run("refuses a proof for another URL, and none", func(t *testing.T) {
		r := ask
		r.header = p.proof(t, s.url+"/elsewhere", nonce)
		s.post(t, r).wants(t, oauth.ErrDPoPProof)
		s.post(t, ask).wants(t, oauth.ErrDPoPRequired)
	})
}
