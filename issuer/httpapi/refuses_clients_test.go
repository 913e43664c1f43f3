package httpapi_test

import (
	"crypto"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestRefusesCertificateThatIsNoLivePin(t *testing.T) {
	pinWith := func(edit func(*v1alpha1.Pin)) func(*house) {
		return func(h *house) {
			h.registry.ApplyCertificate(pinned("checkout", checkoutCert(), func(cc *v1alpha1.ClientCertificate) { edit(&cc.Status.Pins[0]) }))
		}
	}
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(d)) }
	sameKey := certificateOf("checkout", checkoutCert().PrivateKey.(crypto.Signer))
	for name, c := range map[string]struct {
		change func(*house)
		cert   tls.Certificate
	}{
		"a certificate that is pinned to nobody, with the pinned subject": {cert: strangeCert()},
		"the same key in another certificate":                             {cert: sameKey},
		"a certificate that is pinned to another client":                  {cert: billingCert()},
		"a pin that has expired":                                          {pinWith(func(p *v1alpha1.Pin) { p.NotAfter = at(0) }), checkoutCert()},
		"a pin that is not yet valid":                                     {pinWith(func(p *v1alpha1.Pin) { p.NotBefore = at(31 * time.Second) }), checkoutCert()},
		"a pin that was replaced, after its overlap":                      {pinWith(func(p *v1alpha1.Pin) { p.RetiresAt = new(at(0)) }), checkoutCert()},
		"a pin that is distrusted": {func(h *house) {
			h.registry.ApplyCertificate(pinned("checkout", checkoutCert(), func(cc *v1alpha1.ClientCertificate) {
				cc.Spec.Distrust = []v1alpha1.Thumbprint{v1alpha1.Thumbprint(thumbprintOf(checkoutCert()))}
			}))
		}, checkoutCert()},
		"a pin whose object was deleted": {func(h *house) { h.registry.DeleteCertificate("shop", "checkout") }, checkoutCert()},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			honest(t, h)
			if c.change != nil {
				c.change(h)
			}
			r := h.token(t, mtlsForm("shop/checkout"), c.cert)
			wantIdentity(t, h, r, "certificate_not_pinned_or_method_not_listed")
			if !r.close {
				t.Error("the connection with the refused certificate stays open")
			}
			r = h.token(t, federatedForm(sign(h.claims())), c.cert)
			if r.number() != oauth.ErrCertificateNotPinned || r.status != http.StatusUnauthorized || !r.close {
				t.Errorf("with an assertion, got %d %s (closed: %v); want %d, closed", r.status, r.raw, r.close, oauth.ErrCertificateNotPinned)
			}
		})
	}
}

func TestRefusesCertificateFromHeader(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	der := checkoutCert().Certificate[0]
	text := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	for name, value := range map[string]string{
		"Client-Cert":             ":" + base64.StdEncoding.EncodeToString(der) + ":",
		"Client-Cert-Chain":       ":" + base64.StdEncoding.EncodeToString(der) + ":",
		"X-Forwarded-Client-Cert": "Hash=00;Cert=\"" + text + "\"",
		"X-Ssl-Cert":              text,
		"Ssl-Client-Cert":         text,
		"X-Client-Cert":           text,
		"X-Arr-Clientcert":        base64.StdEncoding.EncodeToString(der),
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{name: {value}}
			r := send(t, client(t), request(t, http.MethodPost, h.url+"/oauth2/token", mtlsForm("shop/checkout").Encode(), header))
			if r.number() != oauth.ErrNoMethod {
				t.Errorf("got %d %s; want %d", r.status, r.raw, oauth.ErrNoMethod)
			}
			r = send(t, client(t), request(t, http.MethodPost, h.url+"/oauth2/token", federatedForm(sign(h.claims())).Encode(), header))
			if r.number() != oauth.ErrBindingRequired {
				t.Errorf("with an assertion, got %d %s; want %d", r.status, r.raw, oauth.ErrBindingRequired)
			}
		})
	}
}

func TestRefusesOnTheSameConnectionOnceThePinEnds(t *testing.T) {
	h := newHouse(t)
	c := client(t, checkoutCert())
	ask := func() reply {
		return send(t, c, request(t, http.MethodPost, h.url+"/oauth2/token", mtlsForm("shop/checkout").Encode(), nil))
	}
	if r := ask(); r.status != http.StatusOK || r.close {
		t.Fatalf("got %d %s (closed: %v)", r.status, r.raw, r.close)
	}
	h.registry.ApplyCertificate(pinned("checkout", checkoutCert(), func(cc *v1alpha1.ClientCertificate) { cc.Status.Pins = nil }))
	if r := ask(); r.number() != oauth.ErrIdentity || !r.close {
		t.Errorf("got %d %s (closed: %v); want %d on a connection that is closed", r.status, r.raw, r.close, oauth.ErrIdentity)
	}
}

func TestRefusesClientThatIsStopped(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*house)
		reason string
	}{
		"a suspended client": {func(h *house) {
			h.registry.ApplyClient(oauthClient("checkout", func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true }))
		}, v1alpha1.ReasonSuspended},
		"a suspended namespace": {func(h *house) {
			h.registry.ApplyNamespace(rules.ParseNamespace("shop", nil, map[string]string{v1alpha1.AnnotationSuspend: "true"}))
		}, v1alpha1.ReasonNamespaceSuspended},
		"a client that no longer lists its service account": {func(h *house) {
			h.registry.ApplyClient(oauthClient("checkout", func(c *v1alpha1.OAuthClient) { c.Spec.Authentication.ServiceAccounts = nil }))
		}, "service_account_of_no_such_client"},
		"a deleted client": {func(h *house) { h.registry.DeleteClient("shop", "checkout") }, "service_account_of_no_such_client"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			honest(t, h)
			c.change(h)
			wantIdentity(t, h, h.token(t, federatedForm(sign(h.claims())), checkoutCert()), c.reason)
		})
	}
	t.Run("a method that the client does not list", func(t *testing.T) {
		h := newHouse(t)
		honest(t, h)
		h.registry.ApplyClient(oauthClient("checkout", func(c *v1alpha1.OAuthClient) { c.Spec.Authentication.Certificate = nil }))
		wantIdentity(t, h, h.token(t, mtlsForm("shop/checkout"), checkoutCert()), "certificate_not_pinned_or_method_not_listed")
	})
	t.Run("a grant type that the client does not list", func(t *testing.T) {
		h := newHouse(t)
		h.registry.ApplyClient(oauthClient("checkout", func(c *v1alpha1.OAuthClient) { c.Spec.GrantTypes = nil }))
		if r := h.token(t, federatedForm(sign(h.claims())), checkoutCert()); r.number() != oauth.ErrGrantNotAllowed {
			t.Errorf("got %d %s; want %d", r.status, r.raw, oauth.ErrGrantNotAllowed)
		}
	})
}

func TestRefusesRoleThatWasNotGranted(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	ask := func(scope string) oauth.Number {
		f := federatedForm(sign(h.claims()))
		f.Set("scope", scope)
		return h.token(t, f, checkoutCert()).number()
	}
	for _, s := range []string{identifier + "/Orders.Write.All", "api://nowhere/.default"} {
		if got := ask(s); got != oauth.ErrNoSuchScope {
			t.Errorf("scope %s got %d; want %d", s, got, oauth.ErrNoSuchScope)
		}
	}
	h.registry.DeleteAssignment("orders", "checkout")
	if got := ask(scope); got != oauth.ErrNoSuchScope {
		t.Errorf("after the assignment was deleted, got %d; want %d", got, oauth.ErrNoSuchScope)
	}
}

// An answer that differs tells a stranger which clients there are.
func TestRefusesUnknownClientAndWrongCredentialAlike(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	h.registry.ApplyClient(oauthClient("stopped", func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true }))
	blank := func(r reply) string {
		for _, changing := range []string{r.TraceID, r.CorrelationID, r.Timestamp} {
			r.raw = strings.ReplaceAll(r.raw, changing, "-")
		}
		return r.raw
	}
	unknown := h.token(t, mtlsForm("shop/nobody"), strangeCert())
	for name, r := range map[string]reply{
		"wrong certificate":  h.token(t, mtlsForm("shop/checkout"), strangeCert()),
		"suspended client":   h.token(t, mtlsForm("shop/stopped"), strangeCert()),
		"unknown namespace":  h.token(t, mtlsForm("nowhere/checkout"), strangeCert()),
		"broken assertion":   h.token(t, federatedForm("x"), strangeCert()),
		"unknown workload":   h.token(t, federatedForm(sign(h.claims(jwt.MapClaims{"sub": "system:serviceaccount:shop:nobody"}))), strangeCert()),
		"assertion for else": h.token(t, federatedForm(sign(h.claims(jwt.MapClaims{"aud": "x"}))), strangeCert()),
	} {
		if blank(r) != blank(unknown) || r.status != unknown.status || r.header.Get("WWW-Authenticate") != unknown.header.Get("WWW-Authenticate") {
			t.Errorf("%s:\n%d %s\nunknown client:\n%d %s", name, r.status, r.raw, unknown.status, unknown.raw)
		}
	}
}
