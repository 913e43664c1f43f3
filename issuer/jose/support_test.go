package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

const (
	issuer   = "https://issuer.test"
	audience = "api://orders"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// keys are made once: RSA keys take long.
var keys = sync.OnceValue(func() map[jose.Algorithm]crypto.Signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[jose.Algorithm]crypto.Signer{
		jose.RS256: rsaKey,
		jose.PS256: rsaKey,
		jose.ES256: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		jose.ES384: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		jose.EdDSA: must(ed, err),
	}
})

func kidOf(a jose.Algorithm) string { return "key-" + string(a) }

func newSigner(t testing.TB, a jose.Algorithm) *jose.Signer {
	t.Helper()
	s, err := jose.NewSigner(kidOf(a), a, keys()[a])
	if err != nil {
		t.Fatalf("NewSigner(%s): %v", a, err)
	}
	return s
}

func keySet(t testing.TB) jose.Keys {
	t.Helper()
	set := jose.Keys{}
	for _, a := range jose.Algorithms() {
		set[kidOf(a)] = newSigner(t, a).Key()
	}
	return set
}

// good is a payload that is accepted; with returns a changed copy.
type payload map[string]any

func good() payload {
	return payload{
		"iss": issuer, "sub": "shop/checkout", "aud": audience, "jti": "1",
		"exp": now.Add(10 * time.Minute).Unix(), "nbf": now.Unix(), "iat": now.Unix(),
	}
}

func (p payload) with(name string, value any) payload {
	p = maps.Clone(p)
	p[name] = value
	return p
}

func (p payload) without(name string) payload {
	p = maps.Clone(p)
	delete(p, name)
	return p
}

func (p payload) json(t testing.TB) string {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func expected() jose.Expected {
	return jose.Expected{Now: now, Issuer: issuer, Audiences: []string{audience}, Types: []string{"at+jwt"}}
}

func segment(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// token signs exactly this header and payload with the ES256 key, so that what is
// refused is refused for its content and not for a broken signature.
func token(t testing.TB, header, body string) string {
	t.Helper()
	return signSegments(t, segment(header)+"."+segment(body))
}

func signSegments(t testing.TB, text string) string {
	t.Helper()
	key, ok := keys()[jose.ES256].(*ecdsa.PrivateKey)
	if !ok {
		t.Fatal("not an ECDSA key")
	}
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

const goodHeader = `{"alg":"ES256","kid":"key-ES256","typ":"at+jwt"}`

func verify(t testing.TB, raw string, want jose.Expected) (*jose.Token, error) {
	t.Helper()
	u, err := jose.ParseUnverified(raw)
	if err != nil {
		return nil, err
	}
	return u.Verify(keySet(t), want)
}

// refused asserts the reason, and that the error gives nothing of the token away.
func refused(t *testing.T, raw string, want jose.Expected, reason error) {
	t.Helper()
	_, err := verify(t, raw, want)
	if !errors.Is(err, reason) {
		t.Fatalf("got %v, want %v", err, reason)
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 20 && strings.Contains(err.Error(), part) {
			t.Errorf("the error holds a part of the token: %v", err)
		}
	}
}

func accepted(t *testing.T, raw string, want jose.Expected) *jose.Token {
	t.Helper()
	tok, err := verify(t, raw, want)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return tok
}

func expectedNow() time.Time { return now }
