package httpapi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParseBasic: what passes is a user and a password that a client can have sent,
// and comes back as it was.
func FuzzParseBasic(f *testing.F) {
	for _, s := range []string{"shop%2Fcheckout:s", "a:b:c", ":", "a", "a%00:b", "a:\xff", "a:%zz", "+:+"} {
		f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte(s)))
	}
	f.Add("basic  YTpi")
	f.Add("Basic YTpi=")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		user, password, ok := parseBasic([]string{header})
		if !ok {
			if user != "" || password != "" {
				t.Errorf("what was not read is %q and %q", user, password)
			}
			return
		}
		for _, s := range []string{user, password} {
			if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
				t.Errorf("%q passed", s)
			}
		}
		if user == "" {
			t.Error("nobody passed")
		}
		again := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(user)+":"+url.QueryEscape(password)))
		if u, p, ok := parseBasic([]string{again}); len(again) <= maxBasic && (!ok || u != user || p != password) {
			t.Errorf("%q, %q became %q, %q", user, password, u, p)
		}
	})
}

// FuzzParseClientCert: what passes is exactly one way to write the certificates.
func FuzzParseClientCert(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	good := ":" + base64.StdEncoding.EncodeToString(der) + ":"
	f.Add(good, "")
	f.Add(good, good+", "+good)
	f.Add(good+";a=1", good)
	f.Add("::", ",")
	f.Fuzz(func(t *testing.T, leaf, chain string) {
		h := http.Header{headerClientCert: {leaf}}
		if chain != "" {
			h[headerClientCertChain] = []string{chain}
		}
		certificates, err := parseClientCert(h)
		if err != nil {
			return
		}
		if len(certificates) > 1+maxChain {
			t.Errorf("%d certificates", len(certificates))
		}
		var items []string
		for _, c := range certificates {
			items = append(items, ":"+base64.StdEncoding.EncodeToString(c.Raw)+":")
		}
		sent := []string{strings.Trim(leaf, " \t")}
		if chain != "" {
			for item := range strings.SplitSeq(chain, ",") {
				sent = append(sent, strings.Trim(item, " \t"))
			}
		}
		if strings.Join(items, ",") != strings.Join(sent, ",") {
			t.Errorf("read %q as %q", sent, items)
		}
	})
}

// FuzzRoute: a tenant is a DNS label that stands in the path, and no path has two
// meanings.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{pathToken, "/shop" + tenantToken, "//" + tenantToken, "/oauth2/oauth2/v2.0/token", "/-a" + tenantOpenID, "/a/b" + tenantToken, "", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		endpoint, tenant := route(path)
		if tenant == "" {
			return
		}
		if endpoint == endpointNone || !strings.HasPrefix(path, "/"+tenant+"/") || len(tenant) > maxLabel || bytes.ContainsAny([]byte(tenant), "/.%_ABC") {
			t.Errorf("%q leads to %s of %q", path, endpoint, tenant)
		}
	})
}
