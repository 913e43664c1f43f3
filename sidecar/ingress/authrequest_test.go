package ingress_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/sidecar/ingress"
	"github.com/lanyard-dev/lanyard/test/testcert"
)

func peersOf(ca tls.Certificate) *ingress.Peers {
	pool := poolOf(ca.Leaf)
	return &ingress.Peers{CAs: func() *x509.CertPool { return pool }, Names: []string{"proxy.example"}}
}

func pemOf(c tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
}

// escaped is as nginx escapes: everything but unreserved characters.
func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// certificateHeaders are the headers of each kind for a certificate.
func certificateHeaders(t testing.TB, c tls.Certificate) map[ingress.Proxy]http.Header {
	t.Helper()
	return map[ingress.Proxy]http.Header{
		ingress.Nginx:   {"X-Ssl-Client-Cert": {escaped(pemOf(c))}},
		ingress.HAProxy: {"Client-Cert": {":" + base64.StdEncoding.EncodeToString(c.Certificate[0]) + ":"}},
		ingress.Envoy:   {"X-Forwarded-Client-Cert": {`Hash=00ff;Subject="CN=a\",b;c";Cert="` + escaped(pemOf(c)) + `";URI=`}},
	}
}

// ask asks the endpoint that a proxy on the loopback address uses.
func (h *house) ask(kind ingress.Proxy, method, uri, token string, header http.Header) reply {
	h.t.Helper()
	address := "http://" + h.listen(ingress.NewPlainServer(h.gate.AuthRequest(ingress.AuthConfig{Proxy: kind}), slog.New(slog.DiscardHandler)))
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if kind == ingress.Envoy {
		return h.do(http.DefaultClient, method, address+uri, token, header)
	}
	header["X-Original-Method"], header["X-Original-Uri"] = []string{method}, []string{uri}
	return h.do(http.DefaultClient, http.MethodGet, address+"/auth", token, header)
}

func TestAnswersProxiesThatAsk(t *testing.T) {
	h := newHouse(t)
	c, other := testcert.New(t, "checkout"), testcert.New(t, "other")
	good := h.token(read, &c)
	for kind, shown := range certificateHeaders(t, c) {
		for name, test := range map[string]struct {
			method, uri, token string
			header             http.Header
			status             int
			challenge          string
		}{
			"a role that the rule names":             {"GET", "/orders/1?x=%2f", good, shown, 200, ""},
			"no token":                               {"GET", "/orders", "", shown, 401, "Bearer realm"},
			"a token that is malformed":              {"GET", "/orders", "x y", shown, 401, "invalid_request"},
			"another role":                           {"POST", "/orders", good, shown, 403, "insufficient_scope"},
			"no rule":                                {"GET", "/elsewhere", good, shown, 403, "no rule"},
			"an encoded slash":                       {"GET", "/orders%2fadmin", good, shown, 403, ""},
			"dots":                                   {"GET", "/healthz/%2e%2e/orders/admin", good, shown, 403, ""},
			"a bound token without a certificate":    {"GET", "/orders", good, nil, 401, "mutual TLS"},
			"a bound token with another certificate": {"GET", "/orders", good, certificateHeaders(t, other)[kind], 401, "another certificate"},
		} {
			t.Run(string(kind)+": "+name, func(t *testing.T) {
				r := h.ask(kind, test.method, test.uri, test.token, test.header)
				if r.status != test.status || !strings.Contains(r.challenge(), test.challenge) {
					t.Errorf("got %d %s %s", r.status, r.challenge(), r.body)
				}
				got := map[string][]string{}
				for name := range checkoutReads {
					if values, ok := r.header[name]; ok {
						got[name] = values
					}
				}
				want := checkoutReads
				if test.status != http.StatusOK {
					want = map[string][]string{}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
		t.Run(string(kind)+": the header of another kind", func(t *testing.T) {
			for another, header := range certificateHeaders(t, c) {
				if r := h.ask(kind, "GET", "/orders", good, header); (r.status == http.StatusOK) != (another == kind) {
					t.Errorf("%s: got %d", another, r.status)
				}
			}
		})
		t.Run(string(kind)+": where anyone may, the identity is empty", func(t *testing.T) {
			r := h.ask(kind, "GET", "/healthz", "", http.Header{"X-Lanyard-Client-Id": {"forged"}})
			if values, ok := r.header["X-Lanyard-Client-Id"]; r.status != http.StatusOK || !ok || values[0] != "" {
				t.Errorf("got %d %v", r.status, r.header)
			}
		})
	}
}

func TestRefusesPathsThatTheProxyReadsOtherwise(t *testing.T) {
	h := newHouse(t)
	for _, uri := range []string{`/healthz%2f"`, "/healthz%2f|", "/healthz%2F^/x"} {
		if r := h.ask(ingress.Nginx, "GET", uri, "", nil); r.status != http.StatusForbidden {
			t.Errorf("%s: got %+v", uri, r)
		}
	}
}

func TestRefusesQuestionsWithoutMethodAndPath(t *testing.T) {
	h := newHouse(t)
	address := "http://" + h.listen(ingress.NewPlainServer(h.gate.AuthRequest(ingress.AuthConfig{Proxy: ingress.Nginx}), slog.New(slog.DiscardHandler)))
	for name, header := range map[string]http.Header{
		"neither":     {},
		"no method":   {"X-Original-Uri": {"/healthz"}},
		"no path":     {"X-Original-Method": {"GET"}},
		"two paths":   {"X-Original-Method": {"GET"}, "X-Original-Uri": {"/healthz", "/orders"}},
		"two methods": {"X-Original-Method": {"GET", "POST"}, "X-Original-Uri": {"/healthz"}},
		"no URI":      {"X-Original-Method": {"GET"}, "X-Original-Uri": {"healthz"}},
	} {
		if r := h.do(http.DefaultClient, http.MethodGet, address+"/healthz", "", header); r.status != http.StatusForbidden {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

func TestRefusesCertificateHeadersThatAreNone(t *testing.T) {
	h := newHouse(t)
	c := testcert.New(t, "checkout")
	text, good := pemOf(c), certificateHeaders(t, c)
	nginx, haproxy, envoy := good[ingress.Nginx]["X-Ssl-Client-Cert"][0], good[ingress.HAProxy]["Client-Cert"][0], good[ingress.Envoy]["X-Forwarded-Client-Cert"][0]
	for kind, values := range map[ingress.Proxy][][]string{
		ingress.Nginx: {
			{nginx, nginx},
			{escaped(text + text)},
			{escaped("x" + text)},
			{escaped(text + "x")},
			{"%"},
			{"x"},
			{haproxy},
			{escaped(strings.ReplaceAll(text, "CERTIFICATE", "PUBLIC KEY"))},
			{escaped(strings.Replace(text, "-----\n", "-----\na: b\n\n", 1))},
			{strings.Repeat("x", 16<<10+1)},
		},
		ingress.HAProxy: {{haproxy, haproxy}, {haproxy + ", " + haproxy}, {"::"}, {":"}, {strings.Trim(haproxy, ":")}, {":%%%:"}, {nginx}, {haproxy + ";a=1"}},
		ingress.Envoy: {
			{envoy, envoy},
			{envoy + "," + envoy},
			{"Hash=1," + envoy},
			{"Hash=00ff"},
			{"Cert"},
			{`Cert="` + nginx},
			{`Cert="` + nginx + `"x`},
			{";" + envoy},
			{`Cert="` + nginx + `";cert="` + nginx + `"`},
			{"=" + nginx},
			{`Subject=a"b;Cert=` + nginx},
			{"Cert=" + nginx + ",By=x"},
		},
	} {
		for _, v := range values {
			name := http.CanonicalHeaderKey(map[ingress.Proxy]string{ingress.Nginx: "X-SSL-Client-Cert", ingress.HAProxy: "Client-Cert", ingress.Envoy: "X-Forwarded-Client-Cert"}[kind])
			if r := h.ask(kind, "GET", "/healthz", "", http.Header{name: v}); r.status != http.StatusForbidden {
				t.Errorf("%s: got %d for %.200q", kind, r.status, v)
			}
		}
	}
}

func TestRefusesQuestionsOfStrangers(t *testing.T) {
	ca, otherCA := testcert.New(t, "ca"), testcert.New(t, "other ca")
	h := newHouse(t)
	own := testcert.New(t, "auth")
	h.roots.AddCert(own.Leaf)
	c := testcert.New(t, "checkout")
	address := "https://" + h.listen(ingress.NewServer(h.gate.AuthRequest(ingress.AuthConfig{Proxy: ingress.Nginx, Peers: peersOf(ca)}), func() *tls.Certificate { return &own }, slog.New(slog.DiscardHandler)))
	header := certificateHeaders(t, c)[ingress.Nginx]
	header["X-Original-Method"], header["X-Original-Uri"] = []string{"GET"}, []string{"/orders"}
	for name, test := range map[string]struct {
		shown  []tls.Certificate
		status int
	}{
		"the proxy":                     {[]tls.Certificate{testcert.SignedBy(t, ca, "Proxy.Example")}, 200},
		"nobody":                        {nil, 403},
		"a proxy of another CA":         {[]tls.Certificate{testcert.SignedBy(t, otherCA, "proxy.example")}, 403},
		"the caller itself":             {[]tls.Certificate{c}, 403},
		"another name of that CA":       {[]tls.Certificate{testcert.SignedBy(t, ca, "x.proxy.example")}, 403},
		"a wildcard":                    {[]tls.Certificate{testcert.SignedBy(t, ca, "*.example")}, 403},
		"the name in the subject alone": {[]tls.Certificate{testcert.SignedBy(t, ca, "proxy.example", func(c *x509.Certificate) { c.DNSNames = nil })}, 403},
		"a certificate that has ended":  {[]tls.Certificate{testcert.SignedBy(t, ca, "proxy.example", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })}, 403},
		"a certificate for servers":     {[]tls.Certificate{testcert.SignedBy(t, ca, "proxy.example", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			if r := h.do(h.client(test.shown...), http.MethodGet, address, h.token(read, &c), header); r.status != test.status {
				t.Errorf("got %d %s", r.status, r.body)
			}
		})
	}
}

// A proxy that ends TLS and connects to the ingress with its own certificate.
func TestBelievesConfiguredProxyBeforeTheIngress(t *testing.T) {
	ca := testcert.New(t, "ca")
	proxy := testcert.SignedBy(t, ca, "proxy.example")
	c := testcert.New(t, "checkout")
	for kind, header := range certificateHeaders(t, c) {
		t.Run(string(kind), func(t *testing.T) {
			h := newHouse(t, func(f *ingress.ForwardConfig) { f.Peers, f.Proxy = peersOf(ca), kind })
			header["X-Forwarded-For"] = []string{"192.0.2.1"}
			if r := h.call(http.MethodGet, "/orders", h.token(read, &c), header, proxy); r.status != http.StatusOK {
				t.Fatalf("got %d %s", r.status, r.body)
			}
			if got := h.last().Header.Get("X-Forwarded-For"); got != "192.0.2.1, 127.0.0.1" {
				t.Errorf("the app was told that %s called", got)
			}
			if r := h.call(http.MethodGet, "/orders", h.token(read, &proxy), nil, proxy); r.status != http.StatusUnauthorized {
				t.Errorf("the proxy's own certificate was taken for the client's: %d", r.status)
			}
			if r := h.call(http.MethodGet, "/orders", h.token(read, &c), nil, c); r.status != http.StatusOK {
				t.Errorf("a client that connects by itself got %d", r.status)
			}
			for name := range header {
				if name != "X-Forwarded-For" {
					if r := h.call(http.MethodGet, "/orders", h.token(read, &c), http.Header{name: {"x"}}, proxy); r.status != http.StatusBadRequest {
						t.Errorf("got %d for a header that is none", r.status)
					}
				}
			}
		})
	}
}
