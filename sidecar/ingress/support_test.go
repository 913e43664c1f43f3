package ingress_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/sidecar/ingress"
	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/test/testcert"
	"github.com/lanyard-dev/lanyard/verifier"
)

const audience = "api://orders"

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// house is an issuer, an app, and the ingress before it, on real sockets.
type house struct {
	t       testing.TB
	signer  *jose.Signer
	issuer  *httptest.Server
	gate    *ingress.Gate
	app     *httptest.Server
	url     string // of the ingress
	roots   *x509.CertPool
	log     *lockedBuffer
	metrics *metrics.Registry
	http1   bool // what clients speak

	mu   sync.Mutex
	seen []*http.Request // what the app saw, in order
}

func newHouse(t testing.TB, changes ...func(*ingress.ForwardConfig)) *house {
	t.Helper()
	return newHouseWith(t, nil, changes...)
}

// newHouseWith is newHouse where clients reach the API by these URLs.
func newHouseWith(t testing.TB, urls []string, changes ...func(*ingress.ForwardConfig)) *house {
	t.Helper()
	h := &house{t: t, log: &lockedBuffer{}, metrics: &metrics.Registry{}}
	h.startIssuer()
	logger := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	roots := poolOf(h.issuer.Certificate())
	v, err := verifier.New(verifier.Config{
		Issuer: h.issuer.URL, Audience: audience, Logger: logger, URLs: urls,
		HTTPClient: ingress.KeyClient(func() *x509.CertPool { return roots }),
	})
	if err != nil {
		t.Fatal(err)
	}
	rules := parse(t, rulesText)
	h.gate = ingress.NewGate(ingress.Config{
		Verifier: v, Audience: audience, Rules: func() *ingress.Rules { return rules }, Metrics: h.metrics,
		Random: func() string { return "made-here" }, Now: time.Now, Log: logger,
	})
	h.startApp()
	c := ingress.ForwardConfig{}
	for _, change := range changes {
		change(&c)
	}
	if c.App == nil {
		if c.App, err = ingress.ParseApp(h.app.URL); err != nil {
			t.Fatal(err)
		}
	}
	own := testcert.New(t, "ingress")
	h.roots = poolOf(own.Leaf)
	h.url = "https://" + h.listen(ingress.NewServer(h.gate.Forward(c), func() *tls.Certificate { return &own }, logger))
	return h
}

// listen serves TLS, or plain where there is no certificate, and returns the address.
func (h *house) listen(s *http.Server) string {
	h.t.Helper()
	l := newListener(h.t)
	s.ErrorLog = log.New(io.Discard, "", 0)
	go func() {
		if s.TLSConfig != nil {
			_ = s.ServeTLS(l, "", "")
			return
		}
		_ = s.Serve(l)
	}()
	h.t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

func (h *house) startIssuer() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.signer, err = jose.NewSigner("key-1", jose.ES256, key); err != nil {
		h.t.Fatal(err)
	}
	keys, err := jose.MarshalJWKS([]jose.Key{h.signer.Key()})
	if err != nil {
		h.t.Fatal(err)
	}
	h.issuer = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keys) }))
	h.t.Cleanup(h.issuer.Close)
}

// startApp starts an app that answers what it saw.
func (h *house) startApp() {
	h.app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.seen = append(h.seen, r)
		h.mu.Unlock()
		w.Header().Set("X-Request-Id", "of the app")
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI)
	}))
	h.t.Cleanup(h.app.Close)
}

// last is the last request that the app saw, and calls how many it saw.
func (h *house) last() *http.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seen) == 0 {
		h.t.Fatal("the app was not called")
	}
	return h.seen[len(h.seen)-1]
}

func (h *house) calls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

type claims map[string]any

// token is a good one of shop/checkout with that role, bound to the certificate, changed.
func (h *house) token(role string, c *tls.Certificate, changes ...claims) string {
	h.t.Helper()
	now := time.Now()
	all := claims{
		"iss": h.issuer.URL, "sub": "shop/checkout", "client_id": "shop/checkout", "aud": audience, "jti": "id-1", "tid": "shop",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(), "roles": []string{role, "Other"},
	}
	if c != nil {
		all["cnf"] = claims{"x5t#S256": jose.X5TS256(c.Certificate[0])}
	}
	for _, change := range changes {
		maps.Copy(all, change)
	}
	token, err := h.signer.Sign("at+jwt", all)
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

func poolOf(certs ...*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}

// reply is what a caller sees.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) challenge() string { return r.header.Get("WWW-Authenticate") }

func (r reply) code() string {
	var body struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal([]byte(r.body), &body)
	return body.Error
}

// client speaks with the ingress, showing a certificate if it has one.
func (h *house) client(certificates ...tls.Certificate) *http.Client {
	config := &tls.Config{RootCAs: h.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if len(certificates) > 0 {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificates[0], nil }
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: !h.http1, DisableKeepAlives: true}
	return &http.Client{Transport: transport}
}

// call calls the ingress with a token, which may be empty.
func (h *house) call(method, path, token string, header http.Header, certificates ...tls.Certificate) reply {
	h.t.Helper()
	return h.do(h.client(certificates...), method, h.url+path, token, header)
}

func (h *house) do(client *http.Client, method, target, token string, header http.Header) reply {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, target, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	maps.Copy(r.Header, header) // as it is, in whatever case
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}
