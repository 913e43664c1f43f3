package httpapi_test

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// tokenPaths are the forms of the token endpoint; clientPaths are all the endpoints
// at which clients authenticate.
func tokenPaths() []string {
	return []string{"/oauth2/token", "/oauth2/v1/token", "/shop/oauth2/v2.0/token"}
}

func clientPaths() []string { return append(tokenPaths(), "/oauth2/introspect", "/oauth2/revoke") }

func (h *house) post(t testing.TB, path string, form url.Values, header http.Header, certs ...tls.Certificate) reply {
	t.Helper()
	return send(t, client(t, certs...), request(t, http.MethodPost, h.url+path, form.Encode(), header))
}

func changed(f url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

func TestEveryFormOfTheTokenEndpointGivesTokens(t *testing.T) {
	h := newHouse(t)
	for _, path := range tokenPaths() {
		if r := h.post(t, path, federatedForm(sign(h.claims())), nil, checkoutCert()); r.status != http.StatusOK || r.AccessToken == "" {
			t.Errorf("POST %s: federated: %d %s", path, r.status, r.raw)
		}
		if r := h.post(t, path, mtlsForm("shop/checkout"), nil, checkoutCert()); r.status != http.StatusOK || r.AccessToken == "" {
			t.Errorf("POST %s: mTLS: %d %s", path, r.status, r.raw)
		}
		if r := h.post(t, path, changed(mtlsForm("shop/checkout"), "token_type", "mtls_pop"), nil, checkoutCert()); r.status != http.StatusOK || r.TokenType != "mtls_pop" {
			t.Errorf("POST %s: mtls_pop: %d %s", path, r.status, r.raw)
		}
	}
}

// Dex GHSA-7qjx-gp9h-65qj, CVE-2026-37979, CVE-2026-79652: the second endpoint that
// forgot a rule of the first.
func TestRefusesAlikeAtEveryEndpoint(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	suspended := oauthClient("stopped", func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true })
	h.registry.ApplyClient(suspended)
	h.registry.ApplyCertificate(pinned("stopped", strangeCert()))
	federated := func(pairs ...string) url.Values { return changed(federatedForm(sign(h.claims())), pairs...) }
	mtls := func(pairs ...string) url.Values { return changed(mtlsForm("shop/checkout"), pairs...) }
	cert := []tls.Certificate{checkoutCert()}
	for name, c := range map[string]struct {
		form   url.Values
		header http.Header
		certs  []tls.Certificate
		want   oauth.Number
	}{
		"no method":                       {form: mtls(), want: oauth.ErrNoMethod},
		"an unknown client":               {form: mtls("client_id", "shop/nobody"), certs: cert, want: oauth.ErrIdentity},
		"a client of another tenant":      {form: mtls("client_id", "evil/checkout"), certs: cert, want: oauth.ErrIdentity},
		"another's certificate":           {form: mtls(), certs: []tls.Certificate{billingCert()}, want: oauth.ErrIdentity},
		"a certificate that is nobody's":  {form: mtls(), certs: []tls.Certificate{strangeCert()}, want: oauth.ErrIdentity},
		"a suspended client":              {form: mtls("client_id", "shop/stopped"), certs: []tls.Certificate{strangeCert()}, want: oauth.ErrIdentity},
		"an unsigned assertion":           {form: federated("client_assertion", signWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, h.claims())), certs: cert, want: oauth.ErrIdentity},
		"an assertion for somebody else":  {form: federated("client_assertion", sign(h.claims(jwt.MapClaims{"aud": "https://other"}))), certs: cert, want: oauth.ErrIdentity},
		"an assertion of another client":  {form: federated("client_id", "shop/billing"), certs: cert, want: oauth.ErrIdentity},
		"an assertion type that is not":   {form: federated("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), certs: cert, want: oauth.ErrAssertionType},
		"an assertion and a secret":       {form: federated("client_secret", "s"), want: oauth.ErrTwoMethods},
		"an assertion and a Basic header": {form: federated(), header: basic("shop%2Fcheckout:s"), want: oauth.ErrTwoMethods},
		"an assertion and a Bearer token": {form: federated(), header: http.Header{"Authorization": {"Bearer x"}}, want: oauth.ErrTwoMethods},
		"two secrets":                     {form: mtls("client_secret", "s"), header: basic("shop%2Fcheckout:s"), want: oauth.ErrTwoMethods},
		"two clients":                     {form: mtls(), header: basic("shop%2Fbilling:s"), want: oauth.ErrTwoMethods},
		"a parameter twice":               {form: url.Values{"client_id": {"a", "a"}}, want: oauth.ErrDuplicateParameter},
		"NUL":                             {form: mtls("client_id", "shop/checkout\x00"), want: oauth.ErrMalformedBody},
		"NUL in a parameter nobody knows": {form: mtls("x", "\x00"), want: oauth.ErrMalformedBody},
		"what is no UTF-8":                {form: mtls("client_id", "\xff"), want: oauth.ErrMalformedBody},
		"JSON":                            {form: mtls(), header: http.Header{"Content-Type": {"application/json"}}, want: oauth.ErrWrongContentType},
		"a compressed body":               {form: mtls(), header: http.Header{"Content-Encoding": {"gzip"}}, want: oauth.ErrWrongContentType},
		"a body that is too large":        {form: mtls("x", strings.Repeat("a", 64<<10)), want: oauth.ErrBodyTooLarge},
		"an assertion that is too large":  {form: federated("client_assertion", strings.Repeat("a", 16<<10+1)), want: oauth.ErrBodyTooLarge},
		"a certificate in a header":       {form: mtls(), header: http.Header{"Client-Cert": {clientCert(checkoutCert())}}, want: oauth.ErrNoMethod},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range clientPaths() {
				c.form.Set("token", "x") // which is none of the token endpoint's
				r := h.post(t, path, c.form, c.header, c.certs...)
				if r.number() != c.want || r.AccessToken != "" {
					t.Errorf("POST %s: got %d %s; want %d", path, r.status, r.raw, c.want)
				}
				if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Pragma") != "no-cache" {
					t.Errorf("POST %s: a cache may keep the refusal: %v", path, r.header)
				}
				if (r.status == http.StatusUnauthorized) != (r.header.Get("WWW-Authenticate") != "") {
					t.Errorf("POST %s: status %d with WWW-Authenticate %q", path, r.status, r.header.Get("WWW-Authenticate"))
				}
			}
		})
	}
	t.Run("a parameter in the URL", func(t *testing.T) {
		for _, path := range clientPaths() {
			for _, query := range []string{"?client_secret=s", "?client%5Fassertion=x", "?token", "?client_id=x&client-request-id=7"} {
				if r := h.post(t, path+query, mtls(), nil, cert...); r.number() != oauth.ErrMalformedBody {
					t.Errorf("POST %s%s: got %d %s; want %d", path, query, r.status, r.raw, oauth.ErrMalformedBody)
				}
			}
		}
	})
}

func TestEveryEndpointOfClientsHasTheLimits(t *testing.T) {
	for _, path := range clientPaths() {
		h := newHouse(t, func(c *httpapi.Config) { c.PerClient = httpapi.Rate{PerSecond: 1, Burst: 1} })
		form := changed(mtlsForm("shop/checkout"), "token", "x")
		for i, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
			if r := h.post(t, path, form, nil, checkoutCert()); r.status != want {
				t.Errorf("POST %s: request %d of one client: got %d %s; want %d", path, i+1, r.status, r.raw, want)
			}
		}
		h = newHouse(t, func(c *httpapi.Config) { c.PerPeer = httpapi.Rate{PerSecond: 1, Burst: 1} })
		var got []int
		for range 2 {
			got = append(got, h.post(t, path, form, nil).status)
		}
		if !slices.Equal(got, []int{http.StatusUnauthorized, http.StatusTooManyRequests}) {
			t.Errorf("POST %s: one peer got %v", path, got)
		}
		h = newHouse(t)
		h.health.refusal.Store(oauth.NewError(oauth.ErrStale, ""))
		if r := h.post(t, path, form, nil, checkoutCert()); r.number() != oauth.ErrStale {
			t.Errorf("POST %s while the issuer is stale: got %d %s", path, r.status, r.raw)
		}
	}
}

func TestCorrelatesAsMicrosoftsLibrariesDo(t *testing.T) {
	h := newHouse(t)
	const id = "7f9a-1"
	for name, c := range map[string]struct {
		query, form string
		header      http.Header
		want        string // empty: a new one, which is not echoed
	}{
		"in the header":                 {header: http.Header{"Client-Request-Id": {id}}, want: id},
		"in the query":                  {query: "?x=1&client-request-id=7f9a%2D1", want: id},
		"in the form":                   {form: id, want: id},
		"the header before the others":  {header: http.Header{"Client-Request-Id": {id}}, query: "?client-request-id=q", form: "f", want: id},
		"the query before the form":     {query: "?client-request-id=" + id, form: "f", want: id},
		"none":                          {},
		"what is no id":                 {query: "?client-request-id=a%0Ab"},
		"what is no id, in the form":    {form: "a\r\nSet-Cookie: x"},
		"an id that is too long":        {form: strings.Repeat("x", 129)},
		"a broken escape in the query":  {query: "?client-request-id=%zz"},
		"no id, then one where it goes": {header: http.Header{"Client-Request-Id": {"ü"}}, form: id, want: id},
	} {
		t.Run(name, func(t *testing.T) {
			form := mtlsForm("shop/checkout")
			if c.form != "" {
				form.Set("client-request-id", c.form)
			}
			for _, cert := range []tls.Certificate{checkoutCert(), strangeCert()} {
				r := h.post(t, "/shop/oauth2/v2.0/token"+c.query, form, c.header, cert)
				if got := r.header.Get("Client-Request-Id"); got != c.want {
					t.Errorf("status %d: client-request-id = %q; want %q", r.status, got, c.want)
				}
				logged := h.lastEvent(t)["correlation_id"]
				if c.want != "" && logged != c.want || c.want == "" && (logged == "" || logged == c.form) {
					t.Errorf("status %d: logged correlation_id = %v; want %q", r.status, logged, c.want)
				}
				if r.status != http.StatusOK && r.CorrelationID != logged {
					t.Errorf("correlation_id = %q; logged %v", r.CorrelationID, logged)
				}
			}
		})
	}
}
