package jose_test

import (
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// rfc7638 is the key of RFC 7638 section 3.1.
const (
	rfc7638 = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs` +
		`tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbIS` +
		`D08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	rfc7638Thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	// ed8037 is the key of RFC 8037 appendix A.2, its thumbprint that of A.3.
	ed8037           = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"}`
	ed8037Thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

func parseOne(t *testing.T, key, kid string) jose.Key {
	t.Helper()
	set, err := jose.ParseJWKS([]byte(`{"keys":[` + key + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	found, ok := set.Key(kid)
	if !ok {
		t.Fatalf("no key %q", kid)
	}
	return found
}

func TestThumbprintOfTheRFCs(t *testing.T) {
	for want, key := range map[string]jose.Key{
		rfc7638Thumbprint: parseOne(t, rfc7638, "2011-04-29"),
		ed8037Thumbprint:  parseOne(t, ed8037, "ed"),
	} {
		if got, err := jose.Thumbprint(key.Public); err != nil || got != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	if _, err := jose.Thumbprint([]byte("secret")); !errors.Is(err, jose.ErrKey) {
		t.Errorf("got %v, want ErrKey", err)
	}
}

func TestX5TS256IsTheHashOfTheDER(t *testing.T) {
	if got, want := jose.X5TS256(nil), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestJWKSReadsWhatItWrites(t *testing.T) {
	var published []jose.Key
	for _, k := range keySet(t) {
		published = append(published, k)
	}
	data, err := jose.MarshalJWKS(published)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(published)
	again, err := jose.MarshalJWKS(published)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != string(again) {
		t.Error("the order of the keys changes the bytes")
	}
	set, err := jose.ParseJWKS(data)
	if err != nil {
		t.Fatal(err)
	}
	for kid, k := range keySet(t) {
		got, ok := set.Key(kid)
		if !ok || !cmp.Equal(k.Algorithms, got.Algorithms) || !samePublic(k.Public, got.Public) {
			t.Errorf("%s came back as another key, for %v", kid, got.Algorithms)
		}
	}
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

func TestMarshalJWKSRefuses(t *testing.T) {
	k := newSigner(t, jose.ES256).Key()
	for name, list := range map[string][]jose.Key{
		"two of one kid": {k, k},
		"no kid":         {{Public: k.Public}},
		"a private key":  {{Kid: "x", Public: keys()[jose.ES256]}},
		"a secret":       {{Kid: "x", Public: []byte("secret")}},
		"nothing":        {{Kid: "x"}},
		"a nil key":      {{Kid: "x", Public: (*rsa.PublicKey)(nil)}},
	} {
		if _, err := jose.MarshalJWKS(list); !errors.Is(err, jose.ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", name, err)
		}
	}
}

func TestParseJWKSGivesKeysTheirAlgorithm(t *testing.T) {
	noAlg := strings.Replace(rfc7638, `"alg":"RS256",`, ``, 1)
	ps := strings.Replace(rfc7638, `RS256`, `PS256`, 1)
	for want, k := range map[jose.Algorithm]jose.Key{
		jose.RS256: parseOne(t, noAlg, "2011-04-29"),
		jose.PS256: parseOne(t, ps, "2011-04-29"),
		jose.EdDSA: parseOne(t, ed8037, "ed"),
	} {
		if diff := cmp.Diff([]jose.Algorithm{want}, k.Algorithms); diff != "" {
			t.Error(diff)
		}
	}
}

func TestParseJWKSLeavesOutWhatIsNotUsedHere(t *testing.T) {
	for name, k := range map[string]string{
		"for encryption":       strings.Replace(rfc7638, `"alg"`, `"use":"enc","alg"`, 1),
		"operations without":   strings.Replace(rfc7638, `"alg"`, `"key_ops":["encrypt"],"alg"`, 1),
		"another algorithm":    strings.Replace(rfc7638, `RS256`, `RS512`, 1),
		"encryption by alg":    strings.Replace(rfc7638, `RS256`, `RSA-OAEP`, 1),
		"no kid":               strings.Replace(rfc7638, `,"kid":"2011-04-29"`, ``, 1),
		"another kind":         `{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"2011-04-29"}`,
		"another curve":        `{"kty":"EC","crv":"P-521","x":"AAAA","y":"AAAA","kid":"2011-04-29"}`,
		"a curve for exchange": `{"kty":"OKP","crv":"X25519","x":"AAAA","kid":"2011-04-29"}`,
		"a small key":          fmt.Sprintf(`{"kty":"RSA","n":"%s","e":"AQAB","kid":"2011-04-29"}`, strings.Repeat("_", 170)+"8"),
	} {
		t.Run(name, func(t *testing.T) {
			set, err := jose.ParseJWKS([]byte(`{"keys":[` + k + `,` + ed8037 + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := set.Key("ed"); !ok || len(set) != 1 {
				t.Errorf("got %d keys, want the other one only", len(set))
			}
		})
	}
}

func TestParseJWKSRefuses(t *testing.T) {
	ec := func(x, y string) string {
		return `{"keys":[{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `","kid":"a"}]}`
	}
	zero := strings.Repeat("A", 43)
	for name, text := range map[string]string{
		"no JSON":             `x`,
		"no keys":             `{}`,
		"keys is no list":     `{"keys":{}}`,
		"KEYS":                `{"KEYS":[],"keys":[]}`,
		"keys twice":          `{"keys":[],"keys":[]}`,
		"a key is no object":  `{"keys":[1]}`,
		"data after it":       `{"keys":[]}{}`,
		"one kid twice":       `{"keys":[` + rfc7638 + `,` + rfc7638 + `]}`,
		"a member twice":      `{"keys":[{"kty":"RSA","kty":"EC","kid":"a"}]}`,
		"private RSA":         `{"keys":[` + strings.Replace(rfc7638, `"kid"`, `"d":"AAAA","kid"`, 1) + `]}`,
		"private EC":          `{"keys":[{"kty":"EC","crv":"P-256","d":"AAAA","kid":"a"}]}`,
		"private, unused":     `{"keys":[{"kty":"OKP","crv":"X25519","x":"AAAA","d":"AAAA"}]}`,
		"symmetric":           `{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}`,
		"not on the curve":    ec(zero, zero),
		"short coordinates":   ec("AAAA", "AAAA"),
		"padding":             ec(zero+"=", zero),
		"algorithm of others": `{"keys":[{"kty":"EC","crv":"P-256","alg":"RS256","x":"` + zero + `","y":"` + zero + `","kid":"a"}]}`,
		"even exponent":       `{"keys":[` + strings.Replace(rfc7638, `AQAB`, `AQAA`, 1) + `]}`,
		"exponent one":        `{"keys":[` + strings.Replace(rfc7638, `AQAB`, `AQ`, 1) + `]}`,
		"no modulus":          `{"keys":[{"kty":"RSA","e":"AQAB","kid":"a"}]}`,
		"short Ed25519":       `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"a"}]}`,
		"too long":            `{"keys":[],"x":"` + strings.Repeat("a", jose.MaxJWKSBytes) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if set, err := jose.ParseJWKS([]byte(text)); !errors.Is(err, jose.ErrKey) || set != nil {
				t.Errorf("got %v, %v; want ErrKey", set, err)
			}
		})
	}
}

func TestNewSignerRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		kid string
		alg jose.Algorithm
		key crypto.Signer
	}{
		"no kid":            {"", jose.ES256, keys()[jose.ES256]},
		"no key":            {"a", jose.ES256, nil},
		"another algorithm": {"a", jose.RS256, keys()[jose.ES256]},
		"another curve":     {"a", jose.ES256, keys()[jose.ES384]},
		"none":              {"a", "none", keys()[jose.ES256]},
		"an HMAC":           {"a", "HS256", keys()[jose.RS256]},
	} {
		if _, err := jose.NewSigner(test.kid, test.alg, test.key); !errors.Is(err, jose.ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", name, err)
		}
	}
	for name, claims := range map[string]any{"a list": []int{1}, "null": nil, "a number": 1, "no JSON": make(chan int)} {
		if _, err := newSigner(t, jose.ES256).Sign("at+jwt", claims); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
}

func FuzzParseJWKS(f *testing.F) {
	for _, seed := range []string{`{"keys":[` + rfc7638 + `,` + ed8037 + `]}`, `{"keys":[]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"a"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := jose.ParseJWKS(data)
		if err != nil {
			if !errors.Is(err, jose.ErrKey) {
				t.Fatalf("an untyped error: %v", err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatal("accepted what is no JSON")
		}
		list := make([]jose.Key, 0, len(set))
		for _, k := range set {
			list = append(list, k)
		}
		out, err := jose.MarshalJWKS(list)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := jose.ParseJWKS(out)
		if err != nil || len(again) != len(set) {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}
