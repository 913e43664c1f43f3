package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/test/testcert"
)

// api is an issuer, an app, and the ingress between them, for callers with the certificate or
// without.
type api struct {
	t       *testing.T
	issuer  *httptest.Server
	signer  *jose.Signer
	caller  tls.Certificate
	address string
	roots   *x509.CertPool
}

// startIngress runs the ingress with these flags more until the test ends.
func startIngress(t *testing.T, more ...string) *api {
	t.Helper()
	a := &api{t: t, caller: testcert.New(t, "checkout"), address: freeAddress(t), roots: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if a.signer, err = jose.NewSigner("key-1", jose.ES256, key); err != nil {
		t.Fatal(err)
	}
	keys, err := jose.MarshalJWKS([]jose.Key{a.signer.Key()})
	if err != nil {
		t.Fatal(err)
	}
	a.issuer = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) }))
	t.Cleanup(a.issuer.Close)
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(app.Close)

	own, dir := testcert.New(t, "orders.example"), t.TempDir()
	a.roots.AddCert(own.Leaf)
	der, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	asPEM := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	var o IngressOptions
	flags := pflag.NewFlagSet("ingress", pflag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse(append([]string{
		"--issuer=" + a.issuer.URL, "--ca=" + file("ca.crt", asPEM("CERTIFICATE", a.issuer.Certificate().Raw)), "--audience=api://orders",
		"--rules=" + file("rules.yaml", []byte("rules: [{path: /orders, methods: [GET], access: Authenticated}]")), "--forward=" + app.URL,
		"--tls-cert=" + file("tls.crt", asPEM("CERTIFICATE", own.Leaf.Raw)), "--tls-key=" + file("tls.key", asPEM("PRIVATE KEY", der)),
		"--listen=" + a.address, "--metrics-listen=127.0.0.1:0", "--shutdown-delay=0",
	}, more...)); err != nil {
		t.Fatal(err)
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- RunIngress(ctx, o, io.Discard) }()
	await(t, "the ingress listens", ended, func() bool { return listening(t, a.address) })
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return a
}

// token is a good one, bound to the caller's certificate or to nothing.
func (a *api) token(bound bool) string {
	a.t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": a.issuer.URL, "sub": "shop/checkout", "client_id": "shop/checkout", "aud": "api://orders", "jti": "id-1", "tid": "shop", "roles": []string{"Orders.Read.All"},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	if bound {
		claims["cnf"] = map[string]string{"x5t#S256": jose.X5TS256(a.caller.Certificate[0])}
	}
	token, err := a.signer.Sign("at+jwt", claims)
	if err != nil {
		a.t.Fatal(err)
	}
	return token
}

func (a *api) status(token string, certificate *tls.Certificate) int {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, "https://"+a.address+"/orders", http.NoBody)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	config := &tls.Config{RootCAs: a.roots, ServerName: "orders.example", MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	response, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}).Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// The switch lets tokens through that are bound to nothing, and frees no token of its binding.
func TestRefusesUnboundTokensUnlessToldOtherwise(t *testing.T) {
	for name, test := range map[string]struct {
		flags   []string
		unbound int
	}{
		"by default":           {nil, http.StatusUnauthorized},
		"with --allow-unbound": {[]string{"--allow-unbound"}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			a := startIngress(t, test.flags...)
			if got := a.status(a.token(false), nil); got != test.unbound {
				t.Errorf("a token that is bound to nothing: %d, want %d", got, test.unbound)
			}
			if got := a.status(a.token(true), &a.caller); got != http.StatusOK {
				t.Errorf("a bound token with its certificate: %d", got)
			}
			if got := a.status(a.token(true), nil); got != http.StatusUnauthorized {
				t.Errorf("a bound token without its certificate: %d", got)
			}
		})
	}
}
