package tokenservice_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// prover makes DPoP proofs.
type prover struct{ key *ecdsa.PrivateKey }

func (p prover) proof(t *testing.T, change func(map[string]any)) string {
	t.Helper()
	public, err := p.key.PublicKey.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	point, enc := public.Bytes(), base64.RawURLEncoding
	claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": "https://issuer.example/x", "iat": now.Unix()}
	change(claims)
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return enc.EncodeToString(b)
	}
	signed := part(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{
		"kty": "EC", "crv": "P-256", "x": enc.EncodeToString(point[1:33]), "y": enc.EncodeToString(point[33:]),
	}}) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + enc.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func TestProofOfPossession(t *testing.T) {
	w := newWhole(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := prover{key}
	fresh := func(c map[string]any) { c["nonce"] = w.DPoPNonce(now) }
	// The client authenticates by its certificate, which offers a binding of its own:
	// two kinds at once is as far as a good proof gets here.
	ask := func(headers ...string) oauth.Number {
		_, refusal := w.Issue(t.Context(), request(func(r *tokenservice.Request) {
			r.DPoP, r.Presented.Endpoint = headers, "https://issuer.example/x"
		}), &tokenservice.Event{})
		if refusal == nil {
			return 0
		}
		return refusal.Number
	}
	good := p.proof(t, fresh)
	cut := strings.LastIndexByte(good, '.')
	other := p.proof(t, fresh)
	for name, tc := range map[string]struct {
		headers []string
		want    oauth.Number
	}{
		"without a nonce":           {[]string{p.proof(t, func(map[string]any) {})}, oauth.ErrDPoPNonce},
		"with a nonce of long ago":  {[]string{p.proof(t, func(c map[string]any) { c["nonce"] = w.DPoPNonce(now.Add(-time.Hour)) })}, oauth.ErrDPoPNonce},
		"for another endpoint":      {[]string{p.proof(t, func(c map[string]any) { fresh(c); c["htu"] = "https://issuer.example/y" })}, oauth.ErrDPoPProof},
		"two of them":               {[]string{p.proof(t, fresh), p.proof(t, fresh)}, oauth.ErrDPoPProof},
		"rubbish":                   {[]string{"x"}, oauth.ErrDPoPProof},
		"with another's signature":  {[]string{good[:cut] + other[strings.LastIndexByte(other, '.'):]}, oauth.ErrDPoPProof},
		"a good one, with the cert": {[]string{p.proof(t, fresh)}, oauth.ErrTwoBindings},
	} {
		if n := ask(tc.headers...); n != tc.want {
			t.Errorf("%s: %d, want %d", name, n, tc.want)
		}
	}
	if n := ask(good); n != oauth.ErrTwoBindings {
		t.Errorf("a good one: %d", n)
	}
	if n := ask(good); n != oauth.ErrDPoPProof {
		t.Errorf("the same again: %d", n)
	}
	if n := ask(p.proof(t, fresh)); n != oauth.ErrTwoBindings {
		t.Errorf("the third: %d", n)
	}
	if n := ask(p.proof(t, fresh)); n != oauth.ErrReplayQuota {
		t.Errorf("one more than is remembered: %d", n)
	}
}
