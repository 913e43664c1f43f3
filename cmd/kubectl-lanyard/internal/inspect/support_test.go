package inspect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

const issuerURL = "https://lanyard-issuer.lanyard-system.svc"

// now is the time of every judgement here.
func now() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// party is a key with a certificate.
type party struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newParty(t testing.TB, edits ...func(*x509.Certificate)) party {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	id, err := url.Parse("spiffe://cluster.local/ns/shop/oauthclient/checkout")
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(42), Subject: pkix.Name{CommonName: "shop/checkout"}, URIs: []*url.URL{id},
		NotBefore: now().Add(-time.Hour), NotAfter: now().Add(23 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, edit := range edits {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	c, err := x509.ParseCertificate(der)
	check(t, err)
	return party{key, c}
}

func (p party) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw}))
}

func (p party) keyPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	check(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// sign signs claims as typ.
func sign(t testing.TB, kid string, key crypto.Signer, typ string, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(kid, jose.ES256, key)
	check(t, err)
	token, err := s.Sign(typ, claims)
	check(t, err)
	return token
}

// keys is the key set with that one key.
func (p party) keys(t testing.TB, kid string) jose.Keys {
	t.Helper()
	key, err := jose.NewKey(kid, p.key.Public())
	check(t, err)
	return jose.Keys{kid: key}
}

type claims = map[string]any

// accessClaims are those of a good access token that is bound to a certificate.
func accessClaims(bound party, edits ...func(claims)) claims {
	c := claims{
		"iss": issuerURL, "sub": "shop/checkout", "client_id": "shop/checkout", "appid": "shop/checkout", "azp": "shop/checkout",
		"aud": "api://orders", "exp": now().Add(8 * time.Minute).Unix(), "iat": now().Add(-2 * time.Minute).Unix(),
		"nbf": now().Add(-2 * time.Minute).Unix(), "jti": "id-1", "tid": "shop", "roles": []string{"Orders.Read.All"},
		"scope": "api://orders/Orders.Read.All", "cnf": claims{"x5t#S256": jose.X5TS256(bound.certificate.Raw)},
	}
	for _, edit := range edits {
		edit(c)
	}
	return c
}

// set is an edit of claims; nil removes one.
func set(name string, value any) func(claims) {
	return func(c claims) {
		if value == nil {
			delete(c, name)
			return
		}
		c[name] = value
	}
}

// raw is a token whose parts are just these texts.
func raw(header, payload string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload)) + "." + e.EncodeToString([]byte("signature"))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
