package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/lanyard-dev/lanyard/issuer/dpop"
)

func TestAcceptsProofsOfEveryAlgorithm(t *testing.T) {
	for alg, key := range keys() {
		t.Run(alg, func(t *testing.T) {
			p := accepted(t, proof(t, goodHeader(t, alg), goodClaims().with("nonce", "n-1")), atTokenEndpoint())
			theirs, err := jwk.Import(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			sum, err := theirs.Thumbprint(crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			if want := base64.RawURLEncoding.EncodeToString(sum); p.Thumbprint != want {
				t.Errorf("jkt is %s, another library says %s", p.Thumbprint, want)
			}
			if p.ID != "id-1" || p.Nonce != "n-1" || !p.IssuedAt.Equal(now) || !p.Ends().Equal(now.Add(90*time.Second)) {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// The proofs of RFC 9449 sections 4.1 and 7.1.
func TestAcceptsProofsOfTheRFC(t *testing.T) {
	const header = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnM" +
		"iLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	for name, c := range map[string]struct {
		rest string
		want dpop.Expected
	}{
		"at the token endpoint": {
			"eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ." +
				"2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg",
			dpop.Expected{Now: time.Unix(1562262616, 0), Method: "POST", URLs: []string{"https://server.example.com/token"}},
		},
		"at a resource server": {
			"eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCw" +
				"iYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9." +
				"2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
			dpop.Expected{Now: time.Unix(1562262618, 0), Method: "GET", URLs: []string{"https://resource.example.org/protectedresource"}, AccessToken: token},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := accepted(t, header+"."+c.rest, c.want).Thumbprint; got != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
				t.Errorf("jkt is %s", got)
			}
		})
	}
}

func TestRefusesMoreOrLessThanOneHeader(t *testing.T) {
	good := proof(t, goodHeader(t, "ES256"), goodClaims())
	if _, err := dpop.ParseHeader([]string{good}); err != nil {
		t.Fatal(err)
	}
	for word, values := range map[string][]string{"no DPoP header": nil, "2 DPoP headers": {good, good}, "not accepted": {good + "," + good}} {
		if _, err := dpop.ParseHeader(values); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%d values: got %v, want an error with %q", len(values), err, word)
		}
	}
}

func TestRefusesHeaders(t *testing.T) {
	good, jwk := goodHeader(t, "ES256"), jwkOf(t, keys()["ES256"].Public())
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := jwk["x"].(string)
	rsaHeader := goodHeader(t, "RS256")
	rsaJWK, _ := rsaHeader["jwk"].(object)
	for name, c := range map[string]struct {
		header object
		word   string
	}{
		"no typ":                      {good.without("typ"), "typ"},
		"the typ of any JWT":          {good.with("typ", "JWT"), "typ"},
		"the typ of an access token":  {good.with("typ", "at+jwt"), "typ"},
		"typ in other letters":        {good.with("typ", "DPoP+jwt"), "typ"},
		"no alg":                      {good.without("alg"), "alg"},
		"alg none":                    {good.with("alg", "none"), "alg"},
		"a symmetric alg":             {good.with("alg", "HS256"), "alg"},
		"an alg of another key":       {good.with("alg", "RS256"), "jwk"},
		"an alg of another curve":     {good.with("alg", "ES384"), "ES384"},
		"crit":                        {good.with("crit", []string{"exp"}), "crit"},
		"b64":                         {good.with("b64", false), "b64"},
		"ALG beside alg":              {good.with("ALG", "ES256"), "looks like"},
		"JWK beside jwk":              {good.with("JWK", jwk), "looks like"},
		"no jwk":                      {good.without("jwk"), "no jwk"},
		"a kid instead of a jwk":      {good.without("jwk").with("kid", "key-1"), "no jwk"},
		"a URL instead of a jwk":      {good.without("jwk").with("jku", "https://evil.test/keys"), "no jwk"},
		"jwk null":                    {good.with("jwk", nil), "jwk"},
		"jwk that is text":            {good.with("jwk", "key"), "jwk"},
		"jwk that is empty":           {good.with("jwk", object{}), "jwk"},
		"a private key":               {good.with("jwk", jwkOf(t, keys()["ES256"])), "private member"},
		"a private RSA key":           {rsaHeader.with("jwk", jwkOf(t, keys()["RS256"])), "private member"},
		"a private Ed25519 key":       {goodHeader(t, "EdDSA").with("jwk", jwkOf(t, keys()["EdDSA"])), "private member"},
		"a shared secret":             {good.with("jwk", object{"kty": "oct", "k": "c2VjcmV0"}), "private member"},
		"a shared secret without k":   {good.with("jwk", object{"kty": "oct"}), "no public key"},
		"P beside the public members": {good.with("jwk", jwk.with("P", "AQ")), "looks like"},
		"a small RSA key":             {rsaHeader.with("jwk", rsaJWK.with("n", modulus(1024))), "no public key"},
		"a large RSA key":             {rsaHeader.with("jwk", rsaJWK.with("n", modulus(8200))), "no public key"},
		"an even RSA exponent":        {rsaHeader.with("jwk", rsaJWK.with("e", "Ag")), "no RSA key"},
		"a curve that is not served":  {good.with("jwk", jwkOf(t, p521.Public())), "no public key"},
		"a point that is not on it":   {good.with("jwk", jwk.with("y", x)), "no point"},
		"the point at infinity":       {good.with("jwk", jwk.with("x", zeros(32)).with("y", zeros(32))), "no point"},
		"a coordinate with more":      {good.with("jwk", jwk.with("x", zeros(33))), "32 bytes"},
		"a short Ed25519 key":         {goodHeader(t, "EdDSA").with("jwk", object{"kty": "OKP", "crv": "Ed25519", "x": zeros(31)}), "32 bytes"},
		"X25519":                      {goodHeader(t, "EdDSA").with("jwk", object{"kty": "OKP", "crv": "X25519", "x": zeros(32)}), "no public key"},
		"a key for encryption":        {good.with("jwk", jwk.with("use", "enc")), "another use"},
		"a key that only signs":       {good.with("jwk", jwk.with("key_ops", []string{"sign"})), "another use"},
		"a key for another alg":       {rsaHeader.with("jwk", rsaJWK.with("alg", "PS256")), "jwk is for"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, proof(t, c.header, goodClaims()), atTokenEndpoint(), c.word)
		})
	}
}

// modulus is an odd number of so many bits.
func modulus(bits int) string {
	n := make([]byte, bits/8)
	n[0], n[len(n)-1] = 0xff, 1
	return base64.RawURLEncoding.EncodeToString(n)
}

func zeros(n int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, n)) }

func TestAcceptsKeysThatSayMore(t *testing.T) {
	good, jwk := goodHeader(t, "PS256"), jwkOf(t, keys()["PS256"].Public())
	for name, header := range map[string]object{
		"alg and use":       good.with("jwk", jwk.with("alg", "PS256").with("use", "sig")),
		"key_ops":           good.with("jwk", jwk.with("key_ops", []string{"verify"})),
		"a kid in the jwk":  good.with("jwk", jwk.with("kid", "my-key")),
		"a kid in the head": good.with("kid", "my-key"),
	} {
		t.Run(name, func(t *testing.T) {
			accepted(t, proof(t, header, goodClaims()), atTokenEndpoint())
		})
	}
}

func TestRefusesStrictJSON(t *testing.T) {
	header, claims := goodHeader(t, "ES256").json(t), goodClaims().json(t)
	more := func(object, member string) string { return strings.TrimSuffix(object, "}") + "," + member + "}" }
	for name, c := range map[string]struct{ header, claims, word string }{
		"jwk twice":              {more(header, `"jwk":{}`), claims, "twice"},
		"alg twice":              {more(header, `"alg":"ES256"`), claims, "twice"},
		"jti twice":              {header, more(claims, `"jti":"id-2"`), "twice"},
		"htu twice, in escapes":  {header, more(claims, `"\u0068tu":"https://evil.test"`), "twice"},
		"HTM beside htm":         {header, more(claims, `"HTM":"GET"`), "looks like"},
		"ath in other letters":   {header, more(claims, `"ATH":"x"`), "looks like"},
		"JTI beside jti":         {header, more(claims, `"JTI":"x"`), "looks like"},
		"data behind":            {header, claims + "{}", "after the JSON"},
		"claims that are a list": {header, `["jti"]`, "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, sign(t, "ES256", c.header, c.claims), atTokenEndpoint(), c.word)
		})
	}
}

func TestRefusesWhatIsNoProof(t *testing.T) {
	good := proof(t, goodHeader(t, "ES256"), goodClaims())
	for name, raw := range map[string]string{
		"nothing":          "",
		"text":             "proof",
		"two parts":        good[:strings.LastIndexByte(good, '.')],
		"no signature":     good[:strings.LastIndexByte(good, '.')+1],
		"four parts":       good + ".x",
		"a space behind":   good + " ",
		"padding":          good + "=",
		"a line break":     good + "\n",
		"a huge one":       good + strings.Repeat("A", dpop.MaxBytes),
		"a JSON signature": `{"payload":"x","signatures":[]}`,
	} {
		t.Run(name, func(t *testing.T) { refused(t, raw, atTokenEndpoint(), "") })
	}
}

func TestRefusesSignatureOfAnotherKey(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, proof(t, goodHeader(t, "ES256").with("jwk", jwkOf(t, other.Public())), goodClaims()), atTokenEndpoint(), "signature")
	for alg := range keys() {
		good := proof(t, goodHeader(t, alg), goodClaims())
		refused(t, good[:strings.LastIndexByte(good, '.')+1]+zeros(64), atTokenEndpoint(), "signature")
		refused(t, swapClaims(t, good), atTokenEndpoint(), "signature")
	}
}

// swapClaims keeps the signature and changes what it is for.
func swapClaims(t testing.TB, raw string) string {
	t.Helper()
	parts := strings.Split(raw, ".")
	return parts[0] + "." + segment(goodClaims().with("jti", "id-2").json(t)) + "." + parts[2]
}
