package clientauth

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// CountVerifications tells verified of each signature of a client's own assertion
// that a verified.
func CountVerifications(a *Authenticator, verified func(jose.Key, error)) { a.onVerify = verified }

// The key that stands in does the whole of the mathematics: a key that is refused, or
// a signature that has the wrong length for it, would be a shorter way to "no".
func TestTheStandInVerifies(t *testing.T) {
	for _, alg := range jose.Algorithms() {
		lengths := map[jose.Algorithm][]int{jose.RS256: {256, 384, 512}, jose.PS256: {256, 384, 512}, jose.ES256: {64}, jose.ES384: {96}, jose.EdDSA: {64}}[alg]
		for _, length := range lengths {
			key := standIn(alg, length)
			if !usable(key, alg, length) {
				t.Errorf("%s of %d bytes: not usable", alg, length)
			}
			// Small numbers, which are in range for every key.
			signature := make([]byte, length)
			signature[length/2-1], signature[length-1] = 1, 1
			header, _ := json.Marshal(map[string]string{"alg": string(alg)})
			raw := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"a"}`)) + "." + base64.RawURLEncoding.EncodeToString(signature)
			if got := signatureLength(raw); got != length {
				t.Errorf("%s: length %d, want %d", alg, got, length)
			}
			u, err := jose.ParseUnverified(raw)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := u.VerifyWithKey(key, jose.Expected{Issuer: "a", Types: []string{""}}); !errors.Is(err, jose.ErrSignature) {
				t.Errorf("%s of %d bytes: %v", alg, length, err)
			}
		}
	}
}

// A stranger chooses the length of a signature, and must not choose what it costs us.
func TestTheStandInIsBounded(t *testing.T) {
	for _, length := range []int{-1, 0, 1, 255, 1024, 12_000} {
		key, ok := standIn(jose.RS256, length).Public.(*rsa.PublicKey)
		if !ok || key.Size() < minStandIn || key.Size() > maxStandIn {
			t.Errorf("%d bytes: %v", length, key)
		}
	}
	if got := signatureLength(strings.Repeat("A", 4)); got != 3 {
		t.Errorf("a token without dots has a signature of %d", got)
	}
}

// The cache holds two generations at most, and keeps what is used.
func TestVerifiedTokensAreBounded(t *testing.T) {
	var c verifiedTokens
	often := digestOf("often")
	c.put(often, &verifiedToken{})
	for i := range 5 * generation {
		c.put(digestOf(strings.Repeat("x", i%97)+string(rune(i))), &verifiedToken{})
		if i%100 == 0 {
			if _, ok := c.get(often); !ok {
				t.Fatalf("what is used was forgotten after %d", i)
			}
		}
		if n := len(c.young) + len(c.old); n > 2*generation {
			t.Fatalf("%d tokens", n)
		}
	}
	if _, ok := c.get(digestOf("x" + string(rune(1)))); ok {
		t.Error("what nobody uses was kept")
	}
}
