package dpop_test

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
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/lanyard-dev/lanyard/issuer/dpop"
)

const (
	tokenURL = "https://issuer.test/oauth2/token"
	apiURL   = "https://orders.test/orders"
	token    = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU" // of RFC 9449
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// keys are made once: RSA keys take long.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	return map[string]crypto.Signer{
		"RS256": rsaKey,
		"PS256": rsaKey,
		"ES256": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"ES384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"EdDSA": must(ed, err),
	}
})

// object is a JSON object; with and without return changed copies.
type object map[string]any

func (o object) with(name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

func (o object) without(name string) object {
	o = maps.Clone(o)
	delete(o, name)
	return o
}

func (o object) json(t testing.TB) string {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// jwkOf is the public JWK of a key, as another library writes it.
func jwkOf(t testing.TB, key any) object {
	t.Helper()
	k, err := jwk.Import(key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func goodHeader(t testing.TB, alg string) object {
	t.Helper()
	return object{"typ": "dpop+jwt", "alg": alg, "jwk": jwkOf(t, keys()[alg].Public())}
}

func goodClaims() object {
	return object{"jti": "id-1", "htm": "POST", "htu": tokenURL, "iat": now.Unix()}
}

// boundClaims are those of a proof that comes with the access token.
func boundClaims() object {
	sum := sha256.Sum256([]byte(token))
	return goodClaims().with("htm", "GET").with("htu", apiURL).with("ath", base64.RawURLEncoding.EncodeToString(sum[:]))
}

// proof signs exactly these objects, so that what is refused is refused for its
// content and not for a broken signature.
func proof(t testing.TB, header, claims object) string {
	t.Helper()
	alg, _ := header["alg"].(string)
	if keys()[alg] == nil {
		alg = "ES256"
	}
	return sign(t, alg, header.json(t), claims.json(t))
}

func sign(t testing.TB, alg, header, claims string) string {
	t.Helper()
	text := segment(header) + "." + segment(claims)
	algorithm, ok := jwa.LookupSignatureAlgorithm(alg)
	if !ok {
		t.Fatalf("alg %s is not known there", alg)
	}
	signer, err := jws.SignerFor(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(keys()[alg], []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func atTokenEndpoint() dpop.Expected {
	return dpop.Expected{Now: now, Method: "POST", URLs: []string{tokenURL}}
}

func atAPI() dpop.Expected {
	return dpop.Expected{Now: now, Method: "GET", URLs: []string{apiURL}, AccessToken: token}
}

// judge is what a server does with a proof.
func judge(raw string, want dpop.Expected) (*dpop.Proof, error) {
	p, err := dpop.Parse(raw)
	if err != nil {
		return nil, err
	}
	if err := p.Check(want); err != nil {
		return nil, err
	}
	return p, p.Verify()
}

// refused asserts a word of the reason, and that the error gives no part of the
// proof away.
func refused(t *testing.T, raw string, want dpop.Expected, word string) {
	t.Helper()
	_, err := judge(raw, want)
	if err == nil || !strings.Contains(err.Error(), word) {
		t.Fatalf("got %v, want an error with %q", err, word)
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 20 && strings.Contains(err.Error(), part) {
			t.Errorf("the error holds a part of the proof: %v", err)
		}
	}
}

func accepted(t *testing.T, raw string, want dpop.Expected) *dpop.Proof {
	t.Helper()
	p, err := judge(raw, want)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return p
}
