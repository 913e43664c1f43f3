package jose_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// The tests of this file ask an independent implementation.

func TestAnotherLibraryVerifiesWhatIsSignedHere(t *testing.T) {
	var list []jose.Key
	for _, k := range keySet(t) {
		list = append(list, k)
	}
	data, err := jose.MarshalJWKS(list)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwk.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range jose.Algorithms() {
		t.Run(string(a), func(t *testing.T) {
			raw, err := newSigner(t, a).Sign("at+jwt", good())
			if err != nil {
				t.Fatal(err)
			}
			tok, err := jwt.Parse([]byte(raw), jwt.WithKeySet(set), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithValidate(true),
				jwt.WithClock(jwt.ClockFunc(expectedNow)))
			if err != nil {
				t.Fatal(err)
			}
			if sub, _ := tok.Subject(); sub != "shop/checkout" {
				t.Errorf("sub is %q", sub)
			}
		})
	}
}

func TestVerifiesWhatAnotherLibrarySigned(t *testing.T) {
	for _, a := range jose.Algorithms() {
		t.Run(string(a), func(t *testing.T) {
			alg, ok := jwa.LookupSignatureAlgorithm(string(a))
			if !ok {
				t.Fatal("not known there")
			}
			tok, err := jwt.NewBuilder().Issuer(issuer).Subject("shop/checkout").Audience([]string{audience}).Expiration(now.Add(60e9)).Build()
			if err != nil {
				t.Fatal(err)
			}
			header := jws.NewHeaders()
			for name, value := range map[string]string{"kid": kidOf(a), "typ": "at+jwt"} {
				if err := header.Set(name, value); err != nil {
					t.Fatal(err)
				}
			}
			raw, err := jwt.Sign(tok, jwt.WithKey(alg, keys()[a], jws.WithProtectedHeaders(header)))
			if err != nil {
				t.Fatal(err)
			}
			accepted(t, string(raw), expected())
		})
	}
}

func TestAnotherLibraryAgreesOnThumbprints(t *testing.T) {
	for a, private := range keys() {
		theirs, err := jwk.Import(private.Public())
		if err != nil {
			t.Fatal(err)
		}
		if err := jwk.AssignKeyID(theirs); err != nil {
			t.Fatal(err)
		}
		want, _ := theirs.KeyID()
		if got, err := jose.Thumbprint(private.Public()); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", a, got, err, want)
		}
	}
}

// FuzzParse has three promises: no panic; what is accepted here is accepted by an
// independent library; and both, and encoding/json, read the same claims of it.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{good().json(f), `{}`, `{"aud":["a","b"],"exp":1.5,"sub":"\u00e9"}`, body(f, `"x":[{"a":null}]`)} {
		f.Add(goodHeader, seed, "")
		f.Add(`{"alg":"ES256","kid":"key-ES256","typ":"at+jwt","jwk":{}}`, seed, "")
	}
	f.Add("", "", token(f, goodHeader, good().json(f)))
	f.Add("", "", "a.b.c")
	set := keySet(f)
	f.Fuzz(func(t *testing.T, header, body, raw string) {
		if raw == "" {
			raw = token(t, header, body)
		}
		u, err := jose.ParseUnverified(raw)
		if err != nil {
			return
		}
		// Whatever it says of itself, it is asked for exactly that.
		want := expected()
		want.Issuer, want.Types, want.Audiences = u.Claims.Issuer, []string{u.Header.Type}, u.Claims.Audience
		if !u.Claims.Expiry.IsZero() {
			want.Now = u.Claims.Expiry
		}
		tok, err := u.Verify(set, want)
		if err != nil {
			return
		}
		if !onlyOurHeader(t, raw) {
			return // jwx judges members that are not read here
		}
		key := keys()[tok.Header.Algorithm].Public()
		alg, _ := jwa.LookupSignatureAlgorithm(string(tok.Header.Algorithm))
		theirs, err := jws.Verify([]byte(raw), jws.WithKey(alg, key))
		if err != nil {
			t.Fatalf("accepted here, refused elsewhere: %v", err)
		}
		if !bytes.Equal(theirs, tok.Payload) {
			t.Fatal("two readings of one payload")
		}
		var plain struct {
			Iss string `json:"iss"`
			Sub string `json:"sub"`
		}
		if err := json.Unmarshal(tok.Payload, &plain); err != nil {
			t.Fatalf("accepted here, no JSON elsewhere: %v", err)
		}
		if diff := cmp.Diff([]string{tok.Claims.Issuer, tok.Claims.Subject}, []string{plain.Iss, plain.Sub}); diff != "" {
			t.Fatal(diff)
		}
	})
}

// onlyOurHeader reports whether the header has no member but those that are read
// here.
func onlyOurHeader(t *testing.T, raw string) bool {
	t.Helper()
	head, _, _ := strings.Cut(raw, ".")
	data, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatalf("accepted here, no JSON elsewhere: %v", err)
	}
	for _, name := range []string{"alg", "typ", "kid"} {
		delete(members, name)
	}
	return len(members) == 0
}
