package egress_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/sidecar/egress"
	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/sidecar/settings"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

const resource = "api://orders"

// source hands out tokens that the test puts in.
type source struct {
	t testing.TB

	mu       sync.Mutex
	token    *tokens.Token
	err      error
	next     *tokens.Token // what Renew makes of it; nil: nobody expects Renew
	renewed  int
	requests int
}

func (s *source) Token(_ context.Context, asked string) (*tokens.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked != resource {
		s.t.Errorf("a token for %s was asked for", asked)
	}
	s.requests++
	return s.token, s.err
}

func (s *source) Renew(_ context.Context, asked string, instead *tokens.Token) (*tokens.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked != resource || instead == nil || s.next == nil {
		s.t.Errorf("another token for %s instead of %v was asked for", asked, instead)
		return nil, io.ErrUnexpectedEOF
	}
	s.renewed++
	s.token = s.next
	return s.token, nil
}

func (s *source) set(t *tokens.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = t
}

// bound is a token that is bound to the certificate.
func bound(value string, c tls.Certificate) *tokens.Token {
	return &tokens.Token{Value: value, Type: "Bearer", Resource: resource, Thumbprint: jose.X5TS256(c.Certificate[0]), Certificate: &c}
}

// lockedBuffer is a log that is read while it is written.
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

// house is an upstream, and the proxy to it, on real sockets.
type house struct {
	t        *testing.T
	source   *source
	upstream *httptest.Server
	caFile   string
	url      string // of the proxy
	metrics  *metrics.Registry
	log      *lockedBuffer

	mu    sync.Mutex
	clock time.Time
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

func newHouse(t *testing.T, api http.HandlerFunc, changes ...func(*httptest.Server)) *house {
	t.Helper()
	h := &house{t: t, source: &source{t: t}, metrics: &metrics.Registry{}, log: &lockedBuffer{}, clock: time.Now()}
	h.upstream = httptest.NewUnstartedServer(api)
	h.upstream.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	h.upstream.EnableHTTP2 = true
	h.upstream.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that broke off
	for _, change := range changes {
		change(h.upstream)
	}
	h.upstream.StartTLS()
	t.Cleanup(h.upstream.Close)
	directory := t.TempDir()
	h.caFile = filepath.Join(directory, "orders-ca", "ca.crt")
	h.trust(h.upstream.Certificate())
	h.serve(h.upstream.URL, directory)
	return h
}

// serve starts a proxy to target.
func (h *house) serve(target, directory string) {
	h.t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		h.t.Fatal(err)
	}
	proxies := egress.New([]settings.Upstream{{Port: 9470, URL: u, Resource: resource, CAConfigMap: "orders-ca"}}, egress.Options{
		Tokens: h.source, CADirectory: directory, Metrics: h.metrics, Now: h.now,
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	server := httptest.NewUnstartedServer(proxies.Handler(9470))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	h.t.Cleanup(server.Close)
	h.url = server.URL
}

// trust writes the authorities of the upstream.
func (h *house) trust(certs ...*x509.Certificate) {
	h.t.Helper()
	var text []byte
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	if err := os.MkdirAll(filepath.Dir(h.caFile), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(h.caFile, text, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// reply is what the app sees.
type reply struct {
	status int
	header http.Header
	body   string
}

func (h *house) call(method, path string, body io.Reader, header http.Header) reply {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	for name, values := range header {
		if name == "Host" {
			r.Host = values[0]
			continue
		}
		r.Header[name] = values
	}
	return h.send(r)
}

func (h *house) send(r *http.Request) reply {
	h.t.Helper()
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// refuse answers as a resource server does that does not accept the token.
func refuse(w http.ResponseWriter) {
	w.Header().Add("WWW-Authenticate", `Bearer realm="api://orders", error="invalid_token", error_description="the token has expired"`)
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, `{"error":"invalid_token"}`)
}

// shown is the thumbprint of the client certificate of the connection.
func shown(r *http.Request) string {
	if len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return jose.X5TS256(r.TLS.PeerCertificates[0].Raw)
}
