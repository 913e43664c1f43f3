package httpapi_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// noon is when the tests take place.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	clusterIssuer = "https://kubernetes.default.svc"
	clusterKid    = "cluster-key"
	identifier    = "api://orders"
	scope         = identifier + "/.default"
)

// Keys and certificates are made once.
var (
	clusterKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	strangeKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	signingKey = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	serverCert = sync.OnceValue(func() tls.Certificate { return newCertificate("server") })
	// checkoutCert is pinned to shop/checkout, billingCert to shop/billing.
	checkoutCert = sync.OnceValue(func() tls.Certificate { return newCertificate("checkout") })
	billingCert  = sync.OnceValue(func() tls.Certificate { return newCertificate("billing") })
	strangeCert  = sync.OnceValue(func() tls.Certificate { return newCertificate("checkout") })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newCertificate(name string) tls.Certificate {
	return certificateOf(name, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))
}

func certificateOf(name string, key crypto.Signer) tls.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: must(x509.ParseCertificate(der))}
}

func peerOf(c tls.Certificate) rules.Peer {
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		panic(err)
	}
	return rules.PeerOf([]*x509.Certificate{leaf})
}

func pemOf(c tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
}

func thumbprintOf(c tls.Certificate) string { return jose.X5TS256(c.Certificate[0]) }

// clock is a time that tests own.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) set(t time.Time)         { c.at.Store(t.UnixNano()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// running is an issuer on a real TLS socket.
type running struct {
	url     string
	log     *buffer
	clock   *clock
	metrics *prometheus.Registry
	api     *httpapi.API
	server  *httpapi.Server
}

// start serves cfg, filled in where a test left it empty.
func start(t testing.TB, edit func(issuer string, now func() time.Time, c *httpapi.Config), server httpapi.ServerConfig) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{url: "https://" + l.Addr().String(), log: &buffer{}, clock: &clock{}, metrics: prometheus.NewRegistry()}
	r.clock.set(noon)
	cfg := httpapi.Config{
		Issuer: r.url, Keys: mint.NewKeys(), Health: &fakeHealth{}, Random: rand.Reader, Now: r.clock.now,
		Log: slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: r.metrics,
	}
	edit(r.url, r.clock.now, &cfg)
	if r.api, err = httpapi.New(cfg); err != nil {
		t.Fatal(err)
	}
	server.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { c := serverCert(); return &c, nil }
	r.server = httpapi.NewServer(r.api, server)
	ended := make(chan error, 1)
	go func() { ended <- r.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = r.server.Shutdown(ctx)
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended: %v", err)
		}
	})
	return r
}

func tlsClientConfig(certs ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(serverCert().Leaf)
	return &tls.Config{RootCAs: roots, Certificates: certs, MinVersion: tls.VersionTLS12}
}

// client returns an HTTP client with connections of its own.
func client(t testing.TB, certs ...tls.Certificate) *http.Client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: tlsClientConfig(certs...)}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	raw    string
	close  bool

	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int    `json:"expires_in"`
	Scope            string `json:"scope"`
	Error            string `json:"error"`
	ErrorDescription string `json:"error_description"`
	ErrorCodes       []int  `json:"error_codes"`
	Timestamp        string `json:"timestamp"`
	TraceID          string `json:"trace_id"`
	CorrelationID    string `json:"correlation_id"`
}

func (r reply) number() oauth.Number {
	if len(r.ErrorCodes) != 1 {
		return 0
	}
	return oauth.Number(r.ErrorCodes[0])
}

func send(t testing.TB, c *http.Client, req *http.Request) reply {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, raw: string(body), close: resp.Close}
	if len(body) > 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(body, &out); err != nil {
			t.Fatalf("the answer %q is no JSON: %v", body, err)
		}
	}
	return out
}

func request(t testing.TB, method, url, body string, header http.Header) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range header {
		if values == nil {
			req.Header.Del(name)
			continue
		}
		req.Header[name] = values
	}
	return req
}

// events are the log's token requests.
func (r *running) events(t testing.TB) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(r.log.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("the log line %q is no JSON: %v", line, err)
		}
		if e["msg"] == "token request" {
			out = append(out, e)
		}
	}
	return out
}

// lastEvent is the newest of them.
func (r *running) lastEvent(t testing.TB) map[string]any {
	t.Helper()
	events := r.events(t)
	if len(events) == 0 {
		t.Fatal("no event was logged")
	}
	return events[len(events)-1]
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("still not so: %s", what)
		case <-tick.C:
		}
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
