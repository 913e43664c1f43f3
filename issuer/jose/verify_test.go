package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

func TestAcceptsWhatItSigns(t *testing.T) {
	for _, a := range jose.Algorithms() {
		t.Run(string(a), func(t *testing.T) {
			raw, err := newSigner(t, a).Sign("at+jwt", good().with("roles", []string{"Orders.Read.All"}))
			if err != nil {
				t.Fatal(err)
			}
			want := expected()
			want.RequireLowS = true
			tok := accepted(t, raw, want)
			if diff := cmp.Diff(jose.Claims{
				Issuer: issuer, Subject: "shop/checkout", ID: "1", Audience: []string{audience},
				Expiry: now.Add(10 * time.Minute), NotBefore: now, IssuedAt: now,
			}, tok.Claims); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(jose.Header{Algorithm: a, Type: "at+jwt", KeyID: kidOf(a)}, tok.Header); diff != "" {
				t.Error(diff)
			}
			var private struct {
				Roles []string `json:"roles"`
			}
			if err := jose.DecodeClaims(tok.Payload, &private); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"Orders.Read.All"}, private.Roles); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAcceptsFiveSecondsSkew(t *testing.T) {
	for name, at := range map[string]time.Duration{"our clock is behind": -5 * time.Second, "our clock is ahead": 10*time.Minute + 5*time.Second} {
		t.Run(name, func(t *testing.T) {
			want := expected()
			want.Now = now.Add(at)
			accepted(t, token(t, goodHeader, good().json(t)), want)
		})
	}
}

func TestAcceptsTimesWithAFraction(t *testing.T) {
	tok := accepted(t, token(t, goodHeader, good().with("iat", json.Number("1777636799.5")).json(t)), expected())
	if want := now.Add(-500 * time.Millisecond); !tok.Claims.IssuedAt.Equal(want) {
		t.Errorf("iat is %v, want %v", tok.Claims.IssuedAt, want)
	}
}

func TestAcceptsAudienceAsArrayOfOne(t *testing.T) {
	accepted(t, token(t, goodHeader, good().with("aud", []string{audience}).json(t)), expected())
}

func TestAcceptsAbsentTypeWhereExpected(t *testing.T) {
	want := expected()
	want.Types = []string{"", "JWT"}
	accepted(t, token(t, `{"alg":"ES256","kid":"key-ES256"}`, good().json(t)), want)
	accepted(t, token(t, `{"alg":"ES256","kid":"key-ES256","typ":"JWT"}`, good().json(t)), want)
	refused(t, token(t, `{"alg":"ES256","kid":"key-ES256","typ":"jwt"}`, good().json(t)), want, jose.ErrType)
}

func TestRefusesAlgNone(t *testing.T) {
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		for _, sig := range []string{"", "AA"} {
			raw := segment(`{"alg":"`+alg+`","kid":"key-ES256","typ":"at+jwt"}`) + "." + segment(good().json(t)) + "." + sig
			if _, err := verify(t, raw, expected()); err == nil {
				t.Errorf("alg %q with the signature %q was accepted", alg, sig)
			}
		}
	}
}

func TestRefusesHMACWithPublicKey(t *testing.T) {
	public, err := x509.MarshalPKIXPublicKey(keys()[jose.RS256].Public())
	if err != nil {
		t.Fatal(err)
	}
	text := segment(`{"alg":"HS256","kid":"key-RS256","typ":"at+jwt"}`) + "." + segment(good().json(t))
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(text))
	refused(t, text+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), expected(), jose.ErrAlgorithm)
}

func TestRefusesAlgorithmTheKeyIsNotFor(t *testing.T) {
	signer, err := jose.NewSigner("key-RS256", jose.PS256, keys()[jose.RS256]) // one RSA key, published for RS256
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signer.Sign("at+jwt", good())
	if err != nil {
		t.Fatal(err)
	}
	refused(t, raw, expected(), jose.ErrAlgorithm)
	raw = token(t, `{"alg":"ES384","kid":"key-ES256","typ":"at+jwt"}`, good().json(t))
	refused(t, raw, expected(), jose.ErrAlgorithm)
}

func TestRefusesAlgorithmThatIsNotExpectedHere(t *testing.T) {
	want := expected()
	want.Algorithms = []jose.Algorithm{jose.RS256}
	refused(t, token(t, goodHeader, good().json(t)), want, jose.ErrAlgorithm)
}

func TestRefusesMissingKid(t *testing.T) {
	refused(t, token(t, `{"alg":"ES256","typ":"at+jwt"}`, good().json(t)), expected(), jose.ErrMalformed)
}

func TestRefusesUnknownKid(t *testing.T) {
	for _, kid := range []string{"other", "KEY-ES256", "key-ES256 "} {
		refused(t, token(t, `{"alg":"ES256","kid":"`+kid+`","typ":"at+jwt"}`, good().json(t)), expected(), jose.ErrUnknownKey)
	}
}

func TestRefusesDuplicateKid(t *testing.T) {
	refused(t, token(t, `{"alg":"ES256","kid":"other","kid":"key-ES256","typ":"at+jwt"}`, good().json(t)), expected(), jose.ErrMalformed)
	refused(t, token(t, `{"alg":"ES256","kid":"other","k\u0069d":"key-ES256","typ":"at+jwt"}`, good().json(t)), expected(), jose.ErrMalformed)
}

func TestRefusesKeyFromTheTokensOwnHeader(t *testing.T) {
	attacker, err := ecdsa.GenerateKey(keys()[jose.ES256].Public().(*ecdsa.PublicKey).Curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := jose.NewKey("key-ES256", attacker.Public())
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.MarshalJWKS([]jose.Key{public})
	if err != nil {
		t.Fatal(err)
	}
	own := strings.TrimSuffix(strings.TrimPrefix(string(set), `{"keys":[`), `]}`)
	for name, member := range map[string]string{"jwk": own, "jku": `"https://evil.test/keys"`, "x5u": `"https://evil.test/cert"`, "x5c": `["AAAA"]`} {
		t.Run(name, func(t *testing.T) {
			text := segment(`{"alg":"ES256","kid":"key-ES256","typ":"at+jwt","`+name+`":`+member+`}`) + "." + segment(good().json(t))
			digest := sha256.Sum256([]byte(text))
			r, s, err := ecdsa.Sign(rand.Reader, attacker, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			sig := make([]byte, 64)
			r.FillBytes(sig[:32])
			s.FillBytes(sig[32:])
			refused(t, text+"."+base64.RawURLEncoding.EncodeToString(sig), expected(), jose.ErrSignature)
		})
	}
}

func TestRefusesUnknownCrit(t *testing.T) {
	for _, member := range []string{`"crit":["exp"]`, `"crit":[]`, `"crit":null`, `"b64":false`, `"CRIT":["b64"]`} {
		refused(t, token(t, `{"alg":"ES256","kid":"key-ES256","typ":"at+jwt",`+member+`}`, good().json(t)), expected(), jose.ErrMalformed)
	}
}

func TestRefusesWrongType(t *testing.T) {
	for _, typ := range []string{"JWT", "jwt", "AT+JWT", "application/at+jwt", "at+jwt "} {
		refused(t, token(t, `{"alg":"ES256","kid":"key-ES256","typ":"`+typ+`"}`, good().json(t)), expected(), jose.ErrType)
	}
	refused(t, token(t, `{"alg":"ES256","kid":"key-ES256"}`, good().json(t)), expected(), jose.ErrType)
}

func TestRefusesAnotherIssuerWhoseKeyIDEqualsOurs(t *testing.T) {
	for _, iss := range []string{"https://other.test", issuer + "/", "HTTPS://issuer.test"} {
		refused(t, token(t, goodHeader, good().with("iss", iss).json(t)), expected(), jose.ErrIssuer)
	}
	refused(t, token(t, goodHeader, good().without("iss").json(t)), expected(), jose.ErrIssuer)
	want := expected()
	want.Issuer = ""
	refused(t, token(t, goodHeader, good().without("iss").json(t)), want, jose.ErrIssuer)
}

func TestRefusesTimes(t *testing.T) {
	for name, test := range map[string]struct {
		body payload
		want error
	}{
		"no exp":                  {good().without("exp"), jose.ErrClaims},
		"exp has passed":          {good().with("exp", now.Add(-30*time.Second).Unix()), jose.ErrExpired},
		"exp is far away":         {good().with("exp", now.Add(24*time.Hour).Unix()), jose.ErrLifetime},
		"nbf is ahead":            {good().with("nbf", now.Add(31*time.Second).Unix()), jose.ErrNotYetValid},
		"iat is in the future":    {good().with("iat", now.Add(31*time.Second).Unix()), jose.ErrNotYetValid},
		"exp is a string":         {good().with("exp", "1777640400"), jose.ErrClaims},
		"exp is null":             {good().with("exp", nil), jose.ErrClaims},
		"exp is negative":         {good().with("exp", -1), jose.ErrClaims},
		"exp is beyond any date":  {good().with("exp", json.Number("1e300")), jose.ErrClaims},
		"exp is beyond any float": {good().with("exp", json.Number("1e999")), jose.ErrClaims},
		"exp is a list":           {good().with("exp", []int{1777640400}), jose.ErrClaims},
	} {
		t.Run(name, func(t *testing.T) {
			want := expected()
			want.MaxRemaining = time.Hour
			refused(t, token(t, goodHeader, test.body.json(t)), want, test.want)
		})
	}
}

func TestRefusesAudience(t *testing.T) {
	for name, test := range map[string]struct {
		body payload
		want error
	}{
		"ours and another":        {good().with("aud", []string{audience, "api://other"}), jose.ErrAudience},
		"ours twice":              {good().with("aud", []string{audience, audience}), jose.ErrAudience},
		"another":                 {good().with("aud", "api://other"), jose.ErrAudience},
		"the API server's":        {good().with("aud", []string{"https://kubernetes.default.svc.cluster.local"}), jose.ErrAudience},
		"none":                    {good().without("aud"), jose.ErrAudience},
		"an empty list":           {good().with("aud", []string{}), jose.ErrAudience},
		"a list in a list":        {good().with("aud", []any{[]string{audience}}), jose.ErrClaims},
		"a number":                {good().with("aud", 1), jose.ErrClaims},
		"an object":               {good().with("aud", payload{"0": audience}), jose.ErrClaims},
		"null":                    {good().with("aud", nil), jose.ErrClaims},
		"ours with another slash": {good().with("aud", audience+"/"), jose.ErrAudience},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, token(t, goodHeader, test.body.json(t)), expected(), test.want)
		})
	}
}

func TestRefusesSubjectThatIsNoString(t *testing.T) {
	for _, sub := range []any{1, nil, []string{"shop/checkout"}, payload{}, ""} {
		refused(t, token(t, goodHeader, good().with("sub", sub).json(t)), expected(), jose.ErrClaims)
	}
}

func TestRefusesSignatureWithAppendedBytes(t *testing.T) {
	for _, a := range jose.Algorithms() {
		raw, err := newSigner(t, a).Sign("at+jwt", good())
		if err != nil {
			t.Fatal(err)
		}
		dot := strings.LastIndexByte(raw, '.')
		sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
		if err != nil {
			t.Fatal(err)
		}
		for name, changed := range map[string][]byte{
			"one more": append(slices.Clip(sig), 0), "one less": sig[:len(sig)-1], "one before": append([]byte{0}, sig...),
		} {
			t.Run(string(a)+" "+name, func(t *testing.T) {
				refused(t, raw[:dot+1]+base64.RawURLEncoding.EncodeToString(changed), expected(), jose.ErrSignature)
			})
		}
	}
}

func TestRefusesFlippedS(t *testing.T) {
	raw, err := newSigner(t, jose.ES256).Sign("at+jwt", good())
	if err != nil {
		t.Fatal(err)
	}
	dot := strings.LastIndexByte(raw, '.')
	sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	n := keys()[jose.ES256].Public().(*ecdsa.PublicKey).Params().N
	new(big.Int).Sub(n, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
	flipped := raw[:dot+1] + base64.RawURLEncoding.EncodeToString(sig)

	want := expected()
	want.RequireLowS = true
	refused(t, flipped, want, jose.ErrSignature)
	// Elsewhere it is what it is mathematically: a signature of the key's owner.
	want.RequireLowS = false
	accepted(t, flipped, want)
}

func TestSignsWithLowSAlways(t *testing.T) {
	want := expected()
	want.RequireLowS = true
	for _, a := range []jose.Algorithm{jose.ES256, jose.ES384} {
		signer := newSigner(t, a)
		for range 32 {
			raw, err := signer.Sign("at+jwt", good())
			if err != nil {
				t.Fatal(err)
			}
			accepted(t, raw, want)
		}
	}
}

func TestRefusesSmallRSAKey(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jose.NewKey("small", small.Public()); err == nil {
		t.Error("NewKey accepts 1024 bits")
	}
	raw, err := newSigner(t, jose.RS256).Sign("at+jwt", good())
	if err != nil {
		t.Fatal(err)
	}
	u, err := jose.ParseUnverified(raw)
	if err != nil {
		t.Fatal(err)
	}
	byHand := jose.Key{Kid: kidOf(jose.RS256), Algorithms: []jose.Algorithm{jose.RS256}, Public: small.Public()}
	if _, err := u.VerifyWithKey(byHand, expected()); err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("got %v, want a refusal of the small key", err)
	}
}

func TestRefusesPSSWithAnotherSaltLength(t *testing.T) {
	key := keys()[jose.PS256].(*rsa.PrivateKey)
	text := segment(`{"alg":"PS256","kid":"key-PS256","typ":"at+jwt"}`) + "." + segment(good().json(t))
	digest := sha256.Sum256([]byte(text))
	for salt, ok := range map[int]bool{32: true, 0: false, 20: false, 64: false} {
		// salt 0 would mean "auto" to the standard library; it asks for the most.
		sig, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		_, err = verify(t, text+"."+base64.RawURLEncoding.EncodeToString(sig), expected())
		if (err == nil) != ok {
			t.Errorf("salt of %d bytes: %v", salt, err)
		}
	}
}

func TestVerifyWithKeyComparesKidOnlyIfTheKeyHasOne(t *testing.T) {
	raw := token(t, `{"alg":"ES256","x5t#S256":"abc","typ":"at+jwt"}`, good().json(t))
	u, err := jose.ParseUnverified(raw)
	if err != nil {
		t.Fatal(err)
	}
	if u.Header.X5TS256 != "abc" {
		t.Errorf("x5t#S256 is %q", u.Header.X5TS256)
	}
	key := newSigner(t, jose.ES256).Key()
	if _, err := u.VerifyWithKey(key, expected()); err == nil {
		t.Error("a key with a kid verified a token without")
	}
	key.Kid = ""
	if _, err := u.VerifyWithKey(key, expected()); err != nil {
		t.Error(err)
	}
}

func TestZeroValuesAcceptNothing(t *testing.T) {
	u, err := jose.ParseUnverified(token(t, goodHeader, good().json(t)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Verify(keySet(t), jose.Expected{}); err == nil {
		t.Error("the zero Expected accepts a token")
	}
	if _, err := u.VerifyWithKey(jose.Key{}, expected()); err == nil {
		t.Error("the zero Key verifies a token")
	}
	want := expected()
	want.Now = time.Time{}
	if _, err := u.Verify(keySet(t), want); err == nil {
		t.Error("a token is accepted at no time")
	}
}
