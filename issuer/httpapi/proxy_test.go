package httpapi_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

const proxyName = "proxy.edge.example"

// proxyCertificate is a certificate that ca issued, as a configured proxy has one,
// changed.
func proxyCertificate(t testing.TB, ca tls.Certificate, changes ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	own := newCertificate("proxy")
	template := &x509.Certificate{
		SerialNumber: own.Leaf.SerialNumber, Subject: own.Leaf.Subject, DNSNames: []string{"other.example", proxyName},
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, change := range changes {
		change(template)
	}
	der := must(x509.CreateCertificate(rand.Reader, template, ca.Leaf, own.Leaf.PublicKey, ca.PrivateKey))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own.PrivateKey, Leaf: must(x509.ParseCertificate(der))}
}

// newCA is valid at noon.
func newCA(t testing.TB) tls.Certificate {
	t.Helper()
	own := newCertificate("ca")
	template := &x509.Certificate{
		SerialNumber: own.Leaf.SerialNumber, Subject: own.Leaf.Subject, IsCA: true, BasicConstraintsValid: true,
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(48 * time.Hour),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, own.Leaf.PublicKey, own.PrivateKey))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own.PrivateKey, Leaf: must(x509.ParseCertificate(der))}
}

// clientCert is der as RFC 9440 writes it.
func clientCert(certs ...tls.Certificate) string {
	var items []string
	for _, c := range certs {
		items = append(items, ":"+base64.StdEncoding.EncodeToString(c.Certificate[0])+":")
	}
	return strings.Join(items, ", ")
}

// behind is a house that trusts proxies whose certificates ca issues.
func behind(t testing.TB, ca tls.Certificate) *house {
	t.Helper()
	return newHouse(t, func(c *httpapi.Config) {
		pool := x509.NewCertPool()
		pool.AddCert(ca.Leaf)
		c.Proxies = &httpapi.Proxies{CAs: func() *x509.CertPool { return pool }, Names: []string{"Proxy.Edge.Example"}}
	})
}

func (h *house) via(t testing.TB, header http.Header, certs ...tls.Certificate) reply {
	t.Helper()
	return send(t, client(t, certs...), request(t, http.MethodPost, h.url+"/oauth2/token", mtlsForm("shop/checkout").Encode(), header))
}

func TestBelievesConfiguredProxy(t *testing.T) {
	ca := newCA(t)
	h := behind(t, ca)
	proxy := proxyCertificate(t, ca)
	for name, header := range map[string]http.Header{
		"the certificate":               {"Client-Cert": {clientCert(checkoutCert())}},
		"the certificate and its chain": {"Client-Cert": {" " + clientCert(checkoutCert()) + "\t"}, "Client-Cert-Chain": {clientCert(strangeCert(), billingCert()), clientCert(ca)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.via(t, header, proxy)
			if r.status != http.StatusOK || r.close {
				t.Fatalf("got %d %s (closed: %v)", r.status, r.raw, r.close)
			}
			if e := h.lastEvent(t); e["thumbprint"] != thumbprintOf(checkoutCert()) || e["proxied"] != true {
				t.Errorf("logged %v", e)
			}
		})
	}
	t.Run("a client that connects by itself is served, too", func(t *testing.T) {
		if r := h.token(t, mtlsForm("shop/checkout"), checkoutCert()); r.status != http.StatusOK {
			t.Errorf("got %d %s", r.status, r.raw)
		}
	})
	t.Run("a refused client does not end the proxy's connection", func(t *testing.T) {
		r := h.via(t, http.Header{"Client-Cert": {clientCert(strangeCert())}}, proxy)
		if r.number() != oauth.ErrIdentity || r.close {
			t.Errorf("got %d %s (closed: %v)", r.status, r.raw, r.close)
		}
	})
}

func TestRefusesClientCertHeaderThatIsNone(t *testing.T) {
	ca := newCA(t)
	h := behind(t, ca)
	proxy := proxyCertificate(t, ca)
	good := clientCert(checkoutCert())
	der := checkoutCert().Certificate[0]
	for name, header := range map[string]http.Header{
		"twice":                       {"Client-Cert": {good, good}},
		"two in one":                  {"Client-Cert": {good + ", " + good}},
		"empty":                       {"Client-Cert": {""}},
		"one colon":                   {"Client-Cert": {":"}},
		"no colons":                   {"Client-Cert": {strings.Trim(good, ":")}},
		"a parameter":                 {"Client-Cert": {good + ";a=1"}},
		"another alphabet of base64":  {"Client-Cert": {":" + base64.URLEncoding.EncodeToString([]byte("\xff\xff\xff")) + ":"}},
		"no base64":                   {"Client-Cert": {":%%%%:"}},
		"PEM":                         {"Client-Cert": {"-----BEGIN CERTIFICATE-----" + base64.StdEncoding.EncodeToString(der)}},
		"bytes after the certificate": {"Client-Cert": {":" + base64.StdEncoding.EncodeToString(append(append([]byte{}, der...), 0)) + ":"}},
		"a chain that is none":        {"Client-Cert": {good}, "Client-Cert-Chain": {"x"}},
		"an empty chain":              {"Client-Cert": {good}, "Client-Cert-Chain": {""}},
		"a chain of nine":             {"Client-Cert": {good}, "Client-Cert-Chain": {clientCert(ca, ca, ca, ca, ca, ca, ca, ca, ca)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.via(t, header, proxy)
			if r.status != http.StatusBadRequest || r.number() != oauth.ErrMalformedBody {
				t.Errorf("got %d %s; want 400 with %d", r.status, r.raw, oauth.ErrMalformedBody)
			}
			if e := h.lastEvent(t); e["reason"] != "client_cert_header" {
				t.Errorf("logged %v", e)
			}
		})
	}
}

func TestRefusesProxysOwnCertificateAsTheClients(t *testing.T) {
	ca := newCA(t)
	h := behind(t, ca)
	proxy := proxyCertificate(t, ca)
	h.registry.ApplyCertificate(pinned("checkout", proxy))
	if r := h.via(t, nil, proxy); r.number() != oauth.ErrNoMethod {
		t.Errorf("got %d %s; want %d", r.status, r.raw, oauth.ErrNoMethod)
	}
}

func TestRefusesClientCertHeaderFromAnybodyElse(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	header := http.Header{"Client-Cert": {clientCert(checkoutCert())}}
	for name, c := range map[string]struct {
		certs []tls.Certificate
		want  oauth.Number
	}{
		"a peer without a certificate":        {nil, oauth.ErrNoMethod},
		"a client of its own":                 {[]tls.Certificate{billingCert()}, oauth.ErrIdentity},
		"a proxy of another CA":               {[]tls.Certificate{proxyCertificate(t, other)}, oauth.ErrIdentity},
		"another name of that CA":             {[]tls.Certificate{proxyCertificate(t, ca, func(c *x509.Certificate) { c.DNSNames = []string{"x." + proxyName} })}, oauth.ErrIdentity},
		"the name in the subject alone":       {[]tls.Certificate{proxyCertificate(t, ca, func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, proxyName })}, oauth.ErrIdentity},
		"the name as an email address":        {[]tls.Certificate{proxyCertificate(t, ca, func(c *x509.Certificate) { c.DNSNames, c.EmailAddresses = nil, []string{proxyName} })}, oauth.ErrIdentity},
		"a wildcard":                          {[]tls.Certificate{proxyCertificate(t, ca, func(c *x509.Certificate) { c.DNSNames = []string{"*.edge.example"} })}, oauth.ErrIdentity},
		"a certificate that has expired":      {[]tls.Certificate{proxyCertificate(t, ca, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) })}, oauth.ErrIdentity},
		"a certificate for servers":           {[]tls.Certificate{proxyCertificate(t, ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, oauth.ErrIdentity},
		"a certificate without any key usage": {[]tls.Certificate{proxyCertificate(t, ca, func(c *x509.Certificate) { c.ExtKeyUsage = nil })}, oauth.ErrIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			h := behind(t, ca)
			if r := h.via(t, header, c.certs...); r.number() != c.want {
				t.Errorf("got %d %s; want %d", r.status, r.raw, c.want)
			}
			if e := h.lastEvent(t); e["ignored"] == nil {
				t.Errorf("logged %v, and not that the header was ignored", e)
			}
		})
	}
	t.Run("a proxy, once its certificate has expired", func(t *testing.T) {
		h := behind(t, ca)
		c := client(t, proxyCertificate(t, ca))
		ask := func() reply {
			return send(t, c, request(t, http.MethodPost, h.url+"/oauth2/token", mtlsForm("shop/checkout").Encode(), header))
		}
		if r := ask(); r.status != http.StatusOK {
			t.Fatalf("got %d %s", r.status, r.raw)
		}
		h.clock.advance(time.Hour + time.Second)
		if r := ask(); r.number() != oauth.ErrIdentity {
			t.Errorf("got %d %s; want %d", r.status, r.raw, oauth.ErrIdentity)
		}
	})
	t.Run("a proxy whose CAs are not known", func(t *testing.T) {
		h := newHouse(t, func(c *httpapi.Config) {
			c.Proxies = &httpapi.Proxies{CAs: func() *x509.CertPool { return nil }, Names: []string{proxyName}}
		})
		if r := h.via(t, header, proxyCertificate(t, ca)); r.number() != oauth.ErrIdentity {
			t.Errorf("got %d %s; want %d", r.status, r.raw, oauth.ErrIdentity)
		}
	})
}

// Headers that are nobody's standard are not read, whoever sends them.
func TestRefusesOtherHeadersFromProxy(t *testing.T) {
	ca := newCA(t)
	h := behind(t, ca)
	proxy := proxyCertificate(t, ca)
	for _, name := range []string{"X-Forwarded-Client-Cert", "X-Ssl-Cert", "Ssl-Client-Cert", "X-Client-Cert", "Client-Cert-Chain"} {
		if r := h.via(t, http.Header{name: {clientCert(checkoutCert())}}, proxy); r.number() != oauth.ErrNoMethod {
			t.Errorf("%s: got %d %s; want %d", name, r.status, r.raw, oauth.ErrNoMethod)
		}
	}
}
