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
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
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

// house is the whole issuer, on fakes of the API server alone.
type house struct {
	*running
	registry  *registry.Registry
	cluster   *fakeCluster
	workloads *fakeWorkloads
	keys      *mint.Keys
	health    *fakeHealth
}

func newHouse(t testing.TB, edits ...func(*httpapi.Config)) *house {
	t.Helper()
	h := &house{
		registry: registry.New("cluster.local"),
		cluster:  &fakeCluster{},
		keys:     mint.NewKeys(),
		health:   &fakeHealth{},
		workloads: &fakeWorkloads{
			accounts: map[string]string{"shop/checkout": "sa-1", "shop/billing": "sa-2", "evil/checkout": "sa-3"},
			pods: map[string]clientauth.Pod{
				"shop/checkout-1/pod-1": {}, "shop/billing-1/pod-2": {}, "evil/checkout-1/pod-3": {},
			},
		},
	}
	id := must(jose.Thumbprint(signingKey().Public()))
	if err := h.keys.Set(keyring.Ring{Keys: []keyring.Key{{
		ID: id, Algorithm: keyring.ES256, PrivateKeyPKCS8: must(x509.MarshalPKCS8PrivateKey(signingKey())),
		CreatedAt: noon.Add(-time.Hour), SignsFrom: noon.Add(-time.Hour),
	}}}); err != nil {
		t.Fatal(err)
	}
	h.declare()
	h.running = start(t, func(issuer string, now func() time.Time, c *httpapi.Config) {
		c.Keys, c.Health, c.Sizes = h.keys, h.health, h.registry.Sizes
		authenticator := &clientauth.Authenticator{Registry: h.registry, Cluster: h.cluster, Workloads: h.workloads, Audience: issuer, Replay: replay.New(1000, 100)}
		c.Service = &tokenservice.Service{
			Authenticator: authenticator,
			Registry:      h.registry,
			Minter:        &mint.Minter{Issuer: issuer, Keys: h.keys, Random: rand.Reader},
			Replay:        replay.New(1000, 100),
			Revocations:   h, RevocationQuota: 100,
			Now: now,
		}
		for _, edit := range edits {
			edit(c)
		}
		authenticator.Secrets = c.Secrets
	}, httpapi.ServerConfig{})
	return h
}

// Revoke makes the house a store of revocations that is read at once.
func (h *house) Revoke(_ context.Context, t tokenservice.RevokedToken, _ int) (bool, error) {
	h.registry.ApplyRevocation(&v1alpha1.TokenRevocation{
		ObjectMeta: meta("lanyard-system", t.ID),
		Spec: v1alpha1.TokenRevocationSpec{
			ExpiresAt: metav1.NewTime(t.ExpiresAt),
			Tokens:    []v1alpha1.RevokedToken{{ClientID: t.ClientID, JTI: t.ID, ExpiresAt: metav1.NewTime(t.ExpiresAt)}},
		},
	})
	return true, nil
}

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-24 * time.Hour))}
}

// oauthClient is OAuthClient shop/<name>, changed.
func oauthClient(name string, changes ...func(*v1alpha1.OAuthClient)) *v1alpha1.OAuthClient {
	c := &v1alpha1.OAuthClient{ObjectMeta: meta("shop", name), Spec: v1alpha1.OAuthClientSpec{
		GrantTypes:   []v1alpha1.GrantType{"client_credentials"},
		TokenBinding: v1alpha1.TokenBindingMTLS,
		Authentication: v1alpha1.ClientAuthentication{
			ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: name, BoundTo: v1alpha1.BoundToPod, Admission: v1alpha1.AdmissionOptional}},
			Certificate:     &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth}},
		},
		Roles: []v1alpha1.RoleReference{{Namespace: "orders", Name: "read"}},
	}}
	for _, change := range changes {
		change(c)
	}
	return c
}

// pinned is ClientCertificate shop/<name> with a pin of cert, changed.
func pinned(name string, cert tls.Certificate, changes ...func(*v1alpha1.ClientCertificate)) *v1alpha1.ClientCertificate {
	cc := &v1alpha1.ClientCertificate{
		ObjectMeta: meta("shop", name),
		Spec:       v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: name}},
		Status: v1alpha1.ClientCertificateStatus{Pins: []v1alpha1.Pin{{
			Thumbprint: thumbprintOf(cert), State: v1alpha1.PinCurrent,
			NotBefore: metav1.NewTime(noon.Add(-time.Hour)), NotAfter: metav1.NewTime(noon.Add(time.Hour)),
		}}},
	}
	for _, change := range changes {
		change(cc)
	}
	return cc
}

// declare applies the story: checkout and billing of shop may read orders.
func (h *house) declare() {
	for _, name := range []string{"shop", "orders", "evil"} {
		h.registry.ApplyNamespace(rules.ParseNamespace(name, nil, nil))
	}
	h.registry.ApplyResource(&v1alpha1.ProtectedResource{ObjectMeta: meta("orders", "orders"), Spec: v1alpha1.ProtectedResourceSpec{
		Identifier: identifier, Assignment: v1alpha1.AssignmentRequired, TokenBindingPolicy: v1alpha1.TokenBindingRequired,
	}})
	h.registry.ApplyRole(&v1alpha1.AppRole{ObjectMeta: meta("orders", "read"), Spec: v1alpha1.AppRoleSpec{
		ResourceRef: v1alpha1.LocalReference{Name: "orders"}, Value: "Orders.Read.All",
	}})
	for name, cert := range map[string]tls.Certificate{"checkout": checkoutCert(), "billing": billingCert()} {
		h.registry.ApplyClient(oauthClient(name))
		h.registry.ApplyCertificate(pinned(name, cert))
		h.registry.ApplyAssignment(&v1alpha1.AppRoleAssignment{ObjectMeta: meta("orders", name), Spec: v1alpha1.AppRoleAssignmentSpec{
			RoleRef: v1alpha1.LocalReference{Name: "read"}, ClientRef: &v1alpha1.ClientReference{Namespace: "shop", Name: name}, Decision: v1alpha1.DecisionApproved,
		}})
	}
}

// claims are those of a projected token of pod checkout-1.
func (h *house) claims(with ...jwt.MapClaims) jwt.MapClaims {
	now := h.clock.now()
	c := jwt.MapClaims{
		"iss": clusterIssuer, "aud": []string{h.url}, "sub": "system:serviceaccount:shop:checkout", "jti": "x",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      "shop",
			"serviceaccount": map[string]any{"name": "checkout", "uid": "sa-1"},
			"pod":            map[string]any{"name": "checkout-1", "uid": "pod-1"},
			"node":           map[string]any{"name": "node-1", "uid": "node-uid"},
		},
	}
	for _, w := range with {
		maps.Copy(c, w)
	}
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign is how the API server signs.
func sign(c jwt.Claims, header ...map[string]any) string {
	return signWith(jwt.SigningMethodRS256, clusterKey(), c, header...)
}

func signWith(method jwt.SigningMethod, key any, c jwt.Claims, header ...map[string]any) string {
	token := jwt.NewWithClaims(method, c)
	delete(token.Header, "typ") // the API server writes none
	token.Header["kid"] = clusterKid
	for _, h := range header {
		maps.Copy(token.Header, h)
	}
	maps.DeleteFunc(token.Header, func(_ string, v any) bool { return v == nil })
	return must(token.SignedString(key))
}

// federatedForm is a token request with an assertion.
func federatedForm(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope},
		"client_assertion_type": {oauth.AssertionTypeJWTBearer}, "client_assertion": {assertion},
	}
}

// mtlsForm is a token request over mutual TLS.
func mtlsForm(clientID string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, "client_id": {clientID}}
}

// token posts form on a connection with the given certificates.
func (h *house) token(t testing.TB, form url.Values, certs ...tls.Certificate) reply {
	t.Helper()
	return send(t, client(t, certs...), request(t, http.MethodPost, h.url+"/oauth2/token", form.Encode(), nil))
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
