package clientauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// forgery is an assertion that must be refused, and the word for the log.
type forgery struct {
	change func(header, claims map[string]any)
	reason string
}

func refusesForgeries(t *testing.T, forgeries map[string]forgery) {
	t.Helper()
	for name, f := range forgeries {
		t.Run(name, func(t *testing.T) {
			refused(t, newWorld(t).authenticator(), bearer(own(t, jose.ES256, f.change)), oauth.ErrIdentity, f.reason)
		})
	}
}

// claim sets one claim; nil removes it.
func claim(name string, value any) func(_, c map[string]any) {
	return func(_, c map[string]any) {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
}

// head sets one member of the header; nil removes it.
func head(name string, value any) func(h, _ map[string]any) {
	return func(h, _ map[string]any) { claim(name, value)(nil, h) }
}

func TestRefusesAssertionByAlgorithm(t *testing.T) {
	refusesForgeries(t, map[string]forgery{
		"none":                             {head("alg", "none"), "assertion_malformed"},
		"HS256":                            {head("alg", "HS256"), "assertion_malformed"},
		"one that the pinned key is not":   {head("alg", "RS256"), "assertion_algorithm"},
		"one of the same kind, other size": {head("alg", "ES384"), "assertion_algorithm"},
	})
}

// The public key is public: as an HMAC secret everybody could sign with it.
func TestRefusesHMACWithThePinnedPublicKey(t *testing.T) {
	assertion := own(t, jose.RS256, nil)
	_, rest, _ := strings.Cut(assertion, ".")
	header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"HS256","x5t#S256":%q}`, credentials()[jose.RS256].thumbprint))
	refused(t, newWorld(t).authenticator(), bearer(header+"."+rest), oauth.ErrIdentity, "assertion_malformed")
}

func TestRefusesAssertionByKey(t *testing.T) {
	none := func(h map[string]any) { delete(h, "x5t#S256") }
	refusesForgeries(t, map[string]forgery{
		"none is named":               {func(h, _ map[string]any) { none(h) }, "assertion_key_not_pinned"},
		"an unknown thumbprint":       {head("x5t#S256", pinned), "assertion_key_not_pinned"},
		"an unknown kid":              {func(h, _ map[string]any) { none(h); h["kid"] = "k1" }, "assertion_key_not_pinned"},
		"two that disagree":           {head("x5t", credentials()[jose.EdDSA].x5t), "assertion_key_not_pinned"},
		"another pin of the client's": {head("x5t#S256", credentials()[jose.EdDSA].thumbprint), "assertion_algorithm"},
		"that of another client":      {func(_, c map[string]any) { c["iss"], c["sub"] = "shop/checkout", "shop/checkout" }, "private_key_jwt_not_listed"},
		"distrusted":                  {func(_, c map[string]any) { c["iss"], c["sub"] = "shop/distrusting", "shop/distrusting" }, "assertion_key_not_pinned"},
		"twice":                       {head("x5t#S256", []string{"a", "b"}), "assertion_malformed"},
	})
}

// A stranger's key in the header, where the libraries of others have looked for it.
func TestRefusesKeyFromTheAssertionsOwnHeader(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	for name, header := range map[string]map[string]any{
		"jwk": {"jwk": map[string]any{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}},
		"x5c": {"x5c": []string{base64.StdEncoding.EncodeToString(der)}},
		"jku": {"jku": "https://evil.example/keys"},
		"x5u": {"x5u": "https://evil.example/certificate"},
	} {
		for _, thumbprint := range []string{credentials()[jose.ES256].thumbprint, rules.Thumbprint(der)} {
			t.Run(name, func(t *testing.T) {
				header["alg"], header["x5t#S256"] = "ES256", thumbprint
				claims := map[string]any{"iss": "shop/signing", "sub": "shop/signing", "aud": audience, "jti": "1", "exp": now.Add(time.Minute).Unix()}
				reason := "assertion_signature"
				if thumbprint == rules.Thumbprint(der) {
					reason = "assertion_key_not_pinned"
				}
				refused(t, newWorld(t).authenticator(), bearer(sign(t, credential{key: key}, header, claims)), oauth.ErrIdentity, reason)
			})
		}
	}
}

func TestRefusesAssertionByHeader(t *testing.T) {
	refusesForgeries(t, map[string]forgery{
		"crit":            {head("crit", []string{"exp"}), "assertion_malformed"},
		"an access token": {head("typ", "at+jwt"), "assertion_type"},
		"a DPoP proof":    {head("typ", "dpop+jwt"), "assertion_type"},
		"an unknown typ":  {head("typ", "jwt"), "assertion_type"},
	})
}

// The cluster's issuer chooses the cluster's keys, and nothing else does.
func TestRefusesAnotherIssuerWhoseKeyIDEqualsOurs(t *testing.T) {
	w := newWorld(t)
	a := w.authenticator()
	c := credentials()[jose.ES256]
	// A client's key under the cluster's kid, in the cluster's name.
	claims := map[string]any{"iss": cluster, "sub": "system:serviceaccount:shop:app", "aud": audience, "exp": now.Add(time.Minute).Unix()}
	refused(t, a, bearer(sign(t, c, map[string]any{"alg": "ES256", "kid": "k1"}, claims)), oauth.ErrIdentity, "assertion_signature")
	// The cluster's key in a client's name.
	token := w.token(func(c, _ map[string]any) { c["iss"], c["sub"] = "shop/signing", "shop/signing" })
	refused(t, a, bearer(token), oauth.ErrIdentity, "assertion_key_not_pinned")
	// A token of another cluster.
	refused(t, a, bearer(w.token(func(c, _ map[string]any) { c["iss"] = "https://other" })), oauth.ErrIdentity, "assertion_of_unknown_issuer")
}

func TestRefusesAssertionByTime(t *testing.T) {
	refusesForgeries(t, map[string]forgery{
		"no exp":                     {claim("exp", nil), "assertion_not_valid"},
		"exp long past":              {claim("exp", now.Add(-31*time.Second).Unix()), "assertion_expired"},
		"exp more than ten minutes":  {claim("exp", now.Add(10*time.Minute+31*time.Second).Unix()), "assertion_lives_too_long"},
		"nbf ahead":                  {claim("nbf", now.Add(31*time.Second).Unix()), "assertion_not_yet_valid"},
		"iat in the future":          {claim("iat", now.Add(31*time.Second).Unix()), "assertion_not_yet_valid"},
		"exp as text":                {claim("exp", "1"), "assertion_malformed"},
		"exp beyond any calendar":    {claim("exp", 1e300), "assertion_malformed"},
		"exp at the end of calendar": {claim("exp", 253402300799), "assertion_lives_too_long"},
	})
}

func TestRefusesAssertionByAudience(t *testing.T) {
	refusesForgeries(t, map[string]forgery{
		"none":                       {claim("aud", nil), "assertion_audience"},
		"ours and another":           {claim("aud", []string{audience, "https://evil.example"}), "assertion_audience"},
		"both of ours":               {claim("aud", []string{audience, endpoint}), "assertion_audience"},
		"the API server's":           {claim("aud", cluster), "assertion_audience"},
		"another endpoint of ours":   {claim("aud", audience+"/oauth2/introspect"), "assertion_audience"},
		"ours with a slash":          {claim("aud", audience+"/"), "assertion_audience"},
		"nothing, as an empty text":  {claim("aud", ""), "assertion_malformed"},
		"nothing, as an empty array": {claim("aud", []string{}), "assertion_audience"},
	})
}

// An endpoint that is not known is not the empty audience.
func TestRefusesAssertionForNoEndpoint(t *testing.T) {
	p := bearer(own(t, jose.ES256, claim("aud", endpoint)))
	p.Endpoint = ""
	refused(t, newWorld(t).authenticator(), p, oauth.ErrIdentity, "assertion_audience")
}

func TestRefusesAssertionWithOddClaims(t *testing.T) {
	refusesForgeries(t, map[string]forgery{
		"SUB":                  {claim("SUB", "shop/checkout"), "assertion_malformed"},
		"a long s":             {claim("ſub", "shop/checkout"), "assertion_malformed"},
		"deep nesting":         {claim("x", nest(20)), "assertion_malformed"},
		"no jti":               {claim("jti", nil), "assertion_without_jti"},
		"an empty jti":         {claim("jti", ""), "assertion_malformed"},
		"a sub that is not it": {claim("sub", "shop/checkout"), "assertion_of_unknown_issuer"},
		"no sub":               {claim("sub", nil), "assertion_of_unknown_issuer"},
		"no iss":               {claim("iss", nil), "assertion_of_unknown_issuer"},
	})
}

func nest(depth int) any {
	if depth == 0 {
		return 1
	}
	return []any{nest(depth - 1)}
}

func TestRefusesAssertionThatIsWrittenOddly(t *testing.T) {
	good := own(t, jose.ES256, nil)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	twice := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"shop/signing","iss":"shop/signing","sub":"shop/signing"}`))
	for name, tc := range map[string]struct{ assertion, reason string }{
		"1 MiB":                     {good + strings.Repeat("A", 1<<20), "assertion_malformed"},
		"padding":                   {header + "=." + rest, "assertion_malformed"},
		"a fourth part":             {good + ".x", "assertion_malformed"},
		"a line break":              {good + "\n", "assertion_malformed"},
		"duplicate claims":          {header + "." + twice + "." + signature, "assertion_malformed"},
		"a signature with a byte":   {good + "AA", "assertion_signature"},
		"no signature":              {header + "." + payload + ".", "assertion_malformed"},
		"a signature of all zeroes": {header + "." + payload + "." + strings.Repeat("A", 86), "assertion_signature"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, newWorld(t).authenticator(), bearer(tc.assertion), oauth.ErrIdentity, tc.reason)
		})
	}
}

// withOtherSignature returns assertion with the signature of another: of the right
// form, and wrong.
func withOtherSignature(t *testing.T, assertion, other string) string {
	t.Helper()
	i, j := strings.LastIndexByte(assertion, '.'), strings.LastIndexByte(other, '.')
	return assertion[:i] + other[j:]
}
