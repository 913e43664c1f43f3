package verifier_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/verifier"
)

const (
	audience = "api://orders"
	role     = "Orders.Read.All"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeIssuer publishes keys on a real socket, and counts how often it is asked.
type fakeIssuer struct {
	*httptest.Server
	t      testing.TB
	clock  *clock
	signer *jose.Signer

	mu      sync.Mutex
	answer  http.HandlerFunc
	fetches int
	asked   chan struct{} // one entry for each fetch that was answered

	answered int // entries of asked that were read, by the test's goroutine
}

func newFakeIssuer(t testing.TB) *fakeIssuer {
	t.Helper()
	f := &fakeIssuer{t: t, clock: newClock(), signer: newSigner(t), asked: make(chan struct{}, 1000)}
	f.publish(f.signer)
	f.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/oauth2/keys" {
			t.Errorf("the issuer was asked for %s %s", r.Method, r.URL)
		}
		f.mu.Lock()
		f.fetches++
		answer := f.answer
		f.mu.Unlock()
		answer(w, r)
		f.asked <- struct{}{}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeIssuer) respond(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fakeIssuer) publish(signers ...*jose.Signer) {
	f.t.Helper()
	var keys []jose.Key
	for _, s := range signers {
		keys = append(keys, s.Key())
	}
	data, err := jose.MarshalJWKS(keys)
	if err != nil {
		f.t.Fatal(err)
	}
	f.respond(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })
}

func (f *fakeIssuer) breakDown() {
	f.respond(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
}

func (f *fakeIssuer) fetched() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fetches
}

func (f *fakeIssuer) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(f.Certificate())
	return pool
}

func (f *fakeIssuer) config() verifier.Config {
	return verifier.Config{Issuer: f.URL, Audience: audience, RootCAs: f.roots(), Now: f.clock.Now}
}

func (f *fakeIssuer) verifier(change ...func(*verifier.Config)) *verifier.Verifier {
	f.t.Helper()
	c := f.config()
	for _, fn := range change {
		fn(&c)
	}
	v, err := verifier.New(c)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

type claims map[string]any

// claimsFor are the claims of a good token, bound to the certificate.
func (f *fakeIssuer) claimsFor(cert *x509.Certificate) claims {
	now := f.clock.Now()
	c := claims{
		"iss": f.URL, "sub": "shop/checkout", "client_id": "shop/checkout", "appid": "shop/checkout", "azp": "shop/checkout",
		"aud": audience, "exp": now.Add(10 * time.Minute).Unix(), "iat": now.Unix(), "nbf": now.Unix(), "jti": "id-1", "tid": "shop",
		"roles": []string{role}, "scope": audience + "/.default",
		"kubernetes.io": claims{
			"namespace": "shop", "serviceaccount": claims{"name": "checkout", "uid": "sa-uid"}, "pod": claims{"name": "checkout-1", "uid": "pod-uid"},
		},
	}
	if cert != nil {
		c["cnf"] = claims{"x5t#S256": jose.X5TS256(cert.Raw)}
	}
	return c
}

func (c claims) with(name string, value any) claims {
	c = maps.Clone(c)
	c[name] = value
	return c
}

func (c claims) without(name string) claims {
	c = maps.Clone(c)
	delete(c, name)
	return c
}

func (f *fakeIssuer) sign(c claims) string { return sign(f.t, f.signer, "at+jwt", c) }

func sign(t testing.TB, s *jose.Signer, typ string, c claims) string {
	t.Helper()
	token, err := s.Sign(typ, c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newSigner(t testing.TB) *jose.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signerOf(t, jose.ES256, key)
}

func signerOf(t testing.TB, a jose.Algorithm, key crypto.Signer) *jose.Signer {
	t.Helper()
	kid, err := jose.Thumbprint(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(kid, a, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// api is a resource server on a real TLS socket.
type api struct {
	*httptest.Server
	t *testing.T
}

func serve(t *testing.T, handler http.Handler) *api {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.TLS = verifier.TLSConfig(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	return &api{Server: s, t: t}
}

// hello answers with the client's id.
func hello(w http.ResponseWriter, r *http.Request) {
	token, ok := verifier.FromContext(r.Context())
	if !ok {
		http.Error(w, "no token in the context", http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, token.ClientID)
}

// reply is what a caller sees.
type reply struct {
	status     int
	challenges []string
	body       string
	retryAfter string
	nonce      string
}

func (r reply) errorCode(t *testing.T) string {
	t.Helper()
	return r.parsed(t).Error
}

// number is the one entry of error_codes, or 0.
func (r reply) number(t *testing.T) oauth.Number {
	t.Helper()
	numbers := r.parsed(t).Numbers
	if len(numbers) > 1 {
		t.Fatalf("error_codes are %v, want one", numbers)
	}
	if len(numbers) == 0 {
		return 0
	}
	return numbers[0]
}

type errorBody struct {
	Error   string         `json:"error"`
	Numbers []oauth.Number `json:"error_codes"`
}

func (r reply) parsed(t *testing.T) (body errorBody) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("the body is no JSON: %q", r.body)
	}
	return body
}

// call sends a request over a connection of its own, made with the certificates.
func (a *api) call(header http.Header, certificates ...tls.Certificate) reply {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.URL+"/orders", http.NoBody)
	if err != nil {
		a.t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	return a.send(request, certificates...)
}

func (a *api) send(request *http.Request, certificates ...tls.Certificate) reply {
	a.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header.Values("WWW-Authenticate"), string(body), response.Header.Get("Retry-After"), response.Header.Get("DPoP-Nonce")}
}

func (a *api) callWith(token string, certificates ...tls.Certificate) reply {
	a.t.Helper()
	return a.call(bearer(token), certificates...)
}

func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

// wantRefused asserts status and code, in the header and in the body alike, and
// that the description says a word.
func wantRefused(t *testing.T, got reply, status int, code, word string) {
	t.Helper()
	if got.status != status || got.errorCode(t) != code {
		t.Fatalf("got %d %s, want %d %s", got.status, got.body, status, code)
	}
	schemes := []string{"Bearer ", "MTLS_POP ", "DPoP "}
	if code == "invalid_dpop_proof" || code == "use_dpop_nonce" {
		schemes = []string{"DPoP "}
	}
	if !slices.EqualFunc(got.challenges, schemes, strings.HasPrefix) {
		t.Fatalf("challenges are %q, want those of %q", got.challenges, schemes)
	}
	for _, c := range got.challenges {
		if code != "" && !strings.Contains(c, `error="`+code+`"`) || code == "" && strings.Contains(c, "error") {
			t.Errorf("challenge is %s, want the code %q", c, code)
		}
	}
	if !strings.Contains(got.body, word) {
		t.Errorf("body is %s, want a word of %q", got.body, word)
	}
}

func wantAccepted(t *testing.T, got reply) {
	t.Helper()
	if got.status != http.StatusOK {
		t.Fatalf("got %d %s, want 200", got.status, got.body)
	}
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
