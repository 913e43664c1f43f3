package verifier_test

import (
	"crypto/ecdsa"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/test/testcert"
	"github.com/lanyard-dev/lanyard/verifier"
)

func TestAcceptsBoundTokenAndSaysWhoCalls(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	got, err := issuer.verifier().Verify(t.Context(), issuer.sign(issuer.claimsFor(cert.Leaf)), cert.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	want := &verifier.Token{
		Issuer: issuer.URL, Audience: audience, Subject: "shop/checkout", ClientID: "shop/checkout", ID: "id-1", Tenant: "shop",
		Roles: []string{role}, Scope: audience + "/.default", IssuedAt: issuer.clock.Now(), Expiry: issuer.clock.Now().Add(10 * time.Minute),
		Thumbprint: jose.X5TS256(cert.Leaf.Raw),
		Workload: verifier.Workload{
			Namespace: "shop", ServiceAccount: verifier.Object{Name: "checkout", UID: "sa-uid"}, Pod: verifier.Object{Name: "checkout-1", UID: "pod-uid"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefusesClaims(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v, good := issuer.verifier(), issuer.claimsFor(cert.Leaf)
	now := issuer.clock.Now()
	for name, token := range map[string]string{
		"no token":                     "",
		"no JWT":                       "opaque",
		"another audience":             issuer.sign(good.with("aud", "api://billing")),
		"ours and another audience":    issuer.sign(good.with("aud", []string{audience, "api://billing"})),
		"another issuer":               issuer.sign(good.with("iss", "https://other.test")),
		"no sub":                       issuer.sign(good.without("sub")),
		"no client_id":                 issuer.sign(good.without("client_id")),
		"roles that are no list":       issuer.sign(good.with("roles", role)),
		"roles in other letters":       issuer.sign(good.without("roles").with("ROLES", []string{role})),
		"expired":                      issuer.sign(good.with("exp", now.Add(-31*time.Second).Unix())),
		"no exp":                       issuer.sign(good.without("exp")),
		"not valid yet":                issuer.sign(good.with("nbf", now.Add(31*time.Second).Unix())),
		"a typ of assertions":          sign(t, issuer.signer, "JWT", good),
		"an ID token, without typ":     sign(t, issuer.signer, "", good),
		"typ with its media type":      sign(t, issuer.signer, "application/at+jwt", good),
		"another key of no known id":   sign(t, newSigner(t), "at+jwt", good),
		"cnf that is no object":        issuer.sign(good.with("cnf", "x")),
		"cnf without members":          issuer.sign(good.with("cnf", claims{})),
		"cnf of an unknown kind":       issuer.sign(good.with("cnf", claims{"kid": "x"})),
		"cnf of two kinds":             issuer.sign(good.with("cnf", claims{"x5t#S256": jose.X5TS256(cert.Leaf.Raw), "jkt": "x"})),
		"cnf with more than is known":  issuer.sign(good.with("cnf", claims{"x5t#S256": jose.X5TS256(cert.Leaf.Raw), "jwk": claims{}})),
		"cnf with an empty thumbprint": issuer.sign(good.with("cnf", claims{"x5t#S256": ""})),
		"cnf with a list":              issuer.sign(good.with("cnf", claims{"x5t#S256": []string{jose.X5TS256(cert.Leaf.Raw)}})),
		"cnf with two thumbprints":     issuer.sign(good.with("cnf", claims{"x5t#S256": jose.X5TS256(cert.Leaf.Raw), "x5t": "x"})),
		"cnf with an empty jkt":        issuer.sign(good.with("cnf", claims{"jkt": ""})),
		"cnf with a list as jkt":       issuer.sign(good.with("cnf", claims{"jkt": []string{"x"}})),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), token, cert.Leaf)
			refusal, ok := errors.AsType[*verifier.Refusal](err)
			if !ok || refusal.Code != oauth.InvalidToken || refusal.Number != oauth.ErrTokenNotAccepted || refusal.Description == "" {
				t.Errorf("got %v, want a refusal as invalid_token", err)
			}
		})
	}
}

func TestAcceptsFiveSecondsSkew(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v, token := issuer.verifier(), issuer.sign(issuer.claimsFor(cert.Leaf))
	for _, d := range []time.Duration{-5 * time.Second, 10*time.Minute + 10*time.Second} {
		issuer.clock.add(d)
		if _, err := v.Verify(t.Context(), token, cert.Leaf); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
}

func TestRefusesBoundTokenWithoutItsCertificate(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	token := issuer.sign(issuer.claimsFor(cert.Leaf))

	wantAccepted(t, api.callWith(token, cert))
	wantRefused(t, api.callWith(token), 401, "invalid_token", "connect with it")
	wantRefused(t, api.callWith(token, testcert.New(t, "checkout")), 401, "invalid_token", "another certificate")
}

func TestRefusesAnotherCertificateOfTheSameKey(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	key, ok := cert.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatal("not an ECDSA key")
	}
	again := testcert.WithKey(t, key, "checkout")
	wantRefused(t, api.callWith(issuer.sign(issuer.claimsFor(cert.Leaf)), again), 401, "invalid_token", "another certificate")
}

func TestRefusesCertificateBehindTheLeaf(t *testing.T) {
	issuer, cert, attacker := newFakeIssuer(t), testcert.New(t, "checkout"), testcert.New(t, "attacker")
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	// The victim's certificate is public. Here it follows the attacker's own.
	attacker.Certificate = append(attacker.Certificate, cert.Certificate...)
	wantRefused(t, api.callWith(issuer.sign(issuer.claimsFor(cert.Leaf)), attacker), 401, "invalid_token", "another certificate")
}

func TestRefusesCertificateWithoutItsKey(t *testing.T) {
	cert, attacker := testcert.New(t, "checkout"), testcert.New(t, "attacker")
	issuer := newFakeIssuer(t)
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	stolen := cert
	stolen.PrivateKey = attacker.PrivateKey
	if err := api.handshake(stolen); err == nil {
		t.Error("the handshake succeeded with a certificate and another key")
	}
}

func TestRefusesCertificateInHeader(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	text := pemOf(cert)
	for _, name := range []string{"Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Cert", "Ssl-Client-Cert", "X-Client-Cert", "X-Amzn-Mtls-Clientcert"} {
		header := bearer(issuer.sign(issuer.claimsFor(cert.Leaf)))
		header.Set(name, text)
		wantRefused(t, api.call(header), 401, "invalid_token", "connect with it")
	}
}

func TestRefusesUnboundTokenUnlessAllowed(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	token := issuer.sign(issuer.claimsFor(nil))

	strict := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	wantRefused(t, strict.callWith(token, cert), 401, "invalid_token", "bound tokens only")

	wantRefused(t, strict.callWith(issuer.sign(issuer.claimsFor(nil).with("cnf", nil)), cert), 401, "invalid_token", "bound tokens only")

	lax := serve(t, issuer.verifier(func(c *verifier.Config) { c.AllowUnbound = true }).Middleware(http.HandlerFunc(hello)))
	wantAccepted(t, lax.callWith(token))
	// What is bound stays bound.
	wantRefused(t, lax.callWith(issuer.sign(issuer.claimsFor(cert.Leaf))), 401, "invalid_token", "connect with it")
	wantRefused(t, lax.call(http.Header{"Authorization": {"mtls_pop " + token}}, cert), 401, "invalid_token", "MTLS_POP")
}

func TestRefusesFlippedS(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	token := flipS(t, issuer.sign(issuer.claimsFor(cert.Leaf)), issuer.signer)
	if _, err := issuer.verifier().Verify(t.Context(), token, cert.Leaf); !errors.Is(err, jose.ErrSignature) {
		t.Errorf("got %v, want ErrSignature", err)
	}
}

// Each refusal of a binding has the number of a page that says what to do.
func TestNumbersRefusals(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v := issuer.verifier()
	api, token := serve(t, v.Middleware(http.HandlerFunc(hello))), issuer.sign(issuer.claimsFor(cert.Leaf))
	writers := serve(t, v.RequireRole("Orders.Write")(http.HandlerFunc(hello)))
	for name, c := range map[string]struct {
		got  reply
		want oauth.Number
	}{
		"no token":                 {api.call(nil), 0},
		"two tokens":               {api.call(http.Header{"Authorization": {"Bearer a", "Bearer b"}}), 0},
		"no JWT":                   {api.callWith("opaque", cert), oauth.ErrTokenNotAccepted},
		"no cnf":                   {api.callWith(issuer.sign(issuer.claimsFor(nil)), cert), oauth.ErrTokenNotBound},
		"another certificate":      {api.callWith(token, testcert.New(t, "other")), oauth.ErrTokenOtherCertificate},
		"no certificate":           {api.callWith(token), oauth.ErrTokenNeedsCertificate},
		"a role that is not there": {writers.callWith(token, cert), oauth.ErrTokenWithoutRole},
	} {
		if got := c.got.number(t); got != c.want {
			t.Errorf("%s: the number is %d, want %d: %s", name, got, c.want, c.got.body)
		}
	}
}
