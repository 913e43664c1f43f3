package httpapi_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

const secret = "dGhpcyBpcyBhIHNlY3JldCBvZiAyNTYgYml0cyEhISE"

// withSecrets is a house that serves client secrets, and has shop/legacy with one.
func withSecrets(t testing.TB) *house {
	t.Helper()
	h := newHouse(t, func(c *httpapi.Config) { c.Secrets = true })
	sum := sha256.Sum256([]byte(secret))
	h.registry.ApplyResource(&v1alpha1.ProtectedResource{ObjectMeta: meta("orders", "open"), Spec: v1alpha1.ProtectedResourceSpec{
		Identifier: "api://orders/open", Assignment: v1alpha1.AssignmentOptional, TokenBindingPolicy: v1alpha1.TokenBindingOptional,
	}})
	h.registry.ApplyClient(oauthClient("legacy", func(c *v1alpha1.OAuthClient) {
		c.Spec.TokenBinding = v1alpha1.TokenBindingNone
		c.Spec.Authentication = v1alpha1.ClientAuthentication{ClientSecret: &v1alpha1.ClientSecretCredential{
			Methods: []v1alpha1.ClientSecretMethod{v1alpha1.ClientSecretMethod(oauth.AuthClientSecretBasic), v1alpha1.ClientSecretMethod(oauth.AuthClientSecretPost)},
		}}
		c.Status.ClientSecrets = []v1alpha1.ClientSecretStatus{{
			Hash:      "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:]),
			CreatedAt: metav1.NewTime(noon.Add(-time.Hour)), ExpiresAt: metav1.NewTime(noon.Add(time.Hour)),
		}}
	}))
	return h
}

func secretForm(pairs ...string) url.Values {
	return changed(url.Values{"grant_type": {"client_credentials"}, "scope": {"api://orders/open/.default"}, "token": {"x"}}, pairs...)
}

func TestServesClientSecretsAtEveryEndpoint(t *testing.T) {
	h := withSecrets(t)
	for _, path := range clientPaths() {
		for name, c := range map[string]struct {
			form   url.Values
			header http.Header
		}{
			"client_secret_post":                       {form: secretForm("client_id", "shop/legacy", "client_secret", secret)},
			"client_secret_basic":                      {form: secretForm(), header: basic("shop%2Flegacy:" + secret)},
			"client_secret_basic as curl -u writes it": {form: secretForm(), header: basic("shop/legacy:" + secret)},
		} {
			if r := h.post(t, path, c.form, c.header); r.status != http.StatusOK {
				t.Errorf("POST %s: %s: got %d %s", path, name, r.status, r.raw)
			}
		}
	}
	if strings.Contains(h.log.String(), secret) {
		t.Error("the secret is in the log")
	}
}

// A secret that is wrong, a client that has none and a client that is not there have
// one answer.
func TestRefusesSecretsAlikeAtEveryEndpoint(t *testing.T) {
	h := withSecrets(t)
	for name, c := range map[string]struct {
		form   url.Values
		header http.Header
		reason string
	}{
		"a wrong secret":           {form: secretForm("client_id", "shop/legacy", "client_secret", "x"), reason: "client_secret"},
		"a wrong secret, as Basic": {form: secretForm(), header: basic("shop%2Flegacy:x"), reason: "client_secret"},
		"an empty secret":          {form: secretForm(), header: basic("shop%2Flegacy:"), reason: "client_secret"},
		"a client without secrets": {form: secretForm("client_id", "shop/checkout", "client_secret", secret), reason: "client_secret_method_not_listed"},
		"an unknown client":        {form: secretForm(), header: basic("shop%2Fnobody:" + secret), reason: "unknown_client"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range clientPaths() {
				r := h.post(t, path, c.form, c.header)
				if r.number() != oauth.ErrIdentity || r.ErrorDescription != oauth.ErrIdentity.Text() || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic ") {
					t.Errorf("POST %s: got %d %s with %q", path, r.status, r.raw, r.header.Get("WWW-Authenticate"))
				}
				if log := h.log.String(); !strings.Contains(log[strings.LastIndex(strings.TrimSpace(log), "\n")+1:], `"reason":"`+c.reason+`"`) {
					t.Errorf("POST %s: the log does not say %s", path, c.reason)
				}
			}
		})
	}
	t.Run("a secret that has expired", func(t *testing.T) {
		h.clock.advance(time.Hour)
		for _, path := range clientPaths() {
			if r := h.post(t, path, secretForm(), basic("shop%2Flegacy:"+secret)); r.number() != oauth.ErrIdentity {
				t.Errorf("POST %s: got %d %s", path, r.status, r.raw)
			}
		}
	})
}

func TestRefusesClientOfAnotherTenant(t *testing.T) {
	h := withSecrets(t)
	for name, c := range map[string]struct {
		form   url.Values
		header http.Header
		certs  []tls.Certificate
	}{
		"a secret":      {form: secretForm(), header: basic("shop%2Flegacy:" + secret)},
		"a certificate": {form: mtlsForm("shop/checkout"), certs: []tls.Certificate{checkoutCert()}},
		"an assertion":  {form: federatedForm(sign(h.claims())), certs: []tls.Certificate{checkoutCert()}},
	} {
		t.Run(name, func(t *testing.T) {
			if r := h.post(t, "/shop/oauth2/v2.0/token", c.form, c.header, c.certs...); r.status != http.StatusOK {
				t.Fatalf("the client's own tenant: got %d %s", r.status, r.raw)
			}
			wantIdentity(t, h, h.post(t, "/evil/oauth2/v2.0/token", c.form, c.header, c.certs...), "other_tenant")
		})
	}
}

// newSigningHouse is a house whose client signs assertions itself, and what makes them.
func newSigningHouse(t *testing.T) (h *house, assertion func(aud string) url.Values) {
	t.Helper()
	h = newHouse(t)
	h.registry.ApplyClient(oauthClient("checkout", func(c *v1alpha1.OAuthClient) {
		c.Spec.Authentication.Certificate.Methods = []v1alpha1.CertificateMethod{v1alpha1.MethodPrivateKeyJWT}
	}))
	h.registry.ApplyCertificate(pinned("checkout", checkoutCert(), func(cc *v1alpha1.ClientCertificate) {
		cc.Status.Pins[0].Certificate = pemOf(checkoutCert())
	}))
	ids := 0
	return h, func(aud string) url.Values {
		ids++
		now := h.clock.now()
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": "shop/checkout", "sub": "shop/checkout", "aud": aud, "jti": strings.Repeat("j", ids),
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		})
		token.Header["x5t#S256"] = thumbprintOf(checkoutCert())
		return federatedForm(must(token.SignedString(checkoutCert().PrivateKey)))
	}
}

// What was used at one endpoint is used at all: there is one memory.
func TestRefusesReplayedAssertionAtEveryOtherEndpoint(t *testing.T) {
	h, assertion := newSigningHouse(t)
	endpoints := append(tokenPaths(), "/oauth2/introspect", "/oauth2/revoke")
	for _, first := range endpoints {
		for _, second := range endpoints {
			form := assertion(h.url)
			form.Set("token", "x")
			if r := h.post(t, first, form, nil, checkoutCert()); r.status != http.StatusOK {
				t.Fatalf("POST %s: got %d %s; %v", first, r.status, r.raw, h.lastEvent(t)["reason"])
			}
			if r := h.post(t, second, form, nil, checkoutCert()); r.status != http.StatusUnauthorized || r.number() != oauth.ErrIdentity {
				t.Errorf("POST %s after %s: got %d %s", second, first, r.status, r.raw)
			}
		}
	}
}

// Microsoft's libraries take the audience from the tenant's metadata.
func TestAcceptsAssertionForTheEndpointThatWasCalled(t *testing.T) {
	h, assertion := newSigningHouse(t)
	for _, path := range tokenPaths() {
		for _, aud := range []string{h.url, h.url + path} {
			if r := h.post(t, path, assertion(aud), nil, checkoutCert()); r.status != http.StatusOK {
				t.Errorf("POST %s with an assertion for %s: got %d %s; %v", path, aud, r.status, r.raw, h.lastEvent(t)["reason"])
			}
		}
		for _, aud := range []string{h.url + path + "x", h.url + "/oauth2/keys", "https://evil.example" + path} {
			if r := h.post(t, path, assertion(aud), nil, checkoutCert()); r.number() != oauth.ErrIdentity {
				t.Errorf("POST %s with an assertion for %s: got %d %s", path, aud, r.status, r.raw)
			}
		}
	}
	if r := h.post(t, "/shop/oauth2/v2.0/token", assertion(h.url+"/evil/oauth2/v2.0/token"), nil, checkoutCert()); r.number() != oauth.ErrIdentity {
		t.Errorf("with an assertion for another tenant's endpoint: got %d %s", r.status, r.raw)
	}
}
