package orders_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/test/orders"
	"github.com/lanyard-dev/lanyard/verifier"
)

func TestOrdersOverTLS(t *testing.T) {
	signer, issuer := startIssuer(t)
	var log lockedBuffer
	api := startOrders(t, issuer, &log)
	cert := newCertificate(t)
	thumbprint := jose.X5TS256(cert.Certificate[0])
	token := func(roles ...string) string {
		now := time.Now()
		text, err := signer.Sign("at+jwt", map[string]any{
			"iss": issuer.URL, "sub": "shop/checkout", "client_id": "shop/checkout", "aud": "api://orders", "jti": "id-1", "roles": roles,
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(), "cnf": map[string]string{"x5t#S256": thumbprint},
			"kubernetes.io": map[string]any{
				"namespace": "shop", "serviceaccount": map[string]string{"name": "checkout", "uid": "1"}, "pod": map[string]string{"name": "checkout-1", "uid": "2"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}

	granted := token(orders.RoleRead)
	status, body := call(t, api, granted, cert)
	if status != http.StatusOK {
		t.Fatalf("got %d %s, want 200", status, body)
	}
	var got orders.List
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want := orders.Caller{ClientID: "shop/checkout", Namespace: "shop", ServiceAccount: "checkout", Pod: "checkout-1", Certificate: thumbprint}
	if diff := cmp.Diff(want, got.Caller); diff != "" {
		t.Error(diff)
	}
	if len(got.Orders) == 0 {
		t.Error("there are no orders")
	}
	for name, test := range map[string]struct {
		token        string
		certificates []tls.Certificate
		status       int
		code         string
	}{
		"another role":        {token("Orders.Write"), []tls.Certificate{cert}, 403, "insufficient_scope"},
		"no certificate":      {granted, nil, 401, "invalid_token"},
		"another certificate": {granted, []tls.Certificate{newCertificate(t)}, 401, "invalid_token"},
	} {
		status, body := call(t, api, test.token, test.certificates...)
		if status != test.status || !strings.Contains(string(body), `"error":"`+test.code+`"`) {
			t.Errorf("%s: got %d %s, want %d %s", name, status, body, test.status, test.code)
		}
	}
	if text := log.String(); !strings.Contains(text, `"client_id":"shop/checkout"`) || strings.Contains(text, granted) || strings.Contains(text, strings.Split(granted, ".")[2]) {
		t.Errorf("the log should name the client, and no token: %s", text)
	}
}

func startIssuer(t *testing.T) (*jose.Signer, *httptest.Server) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner("key-1", jose.ES256, key)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.MarshalJWKS([]jose.Key{signer.Key()})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth2/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) })
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	return signer, server
}

func startOrders(t *testing.T, issuer *httptest.Server, log io.Writer) *httptest.Server {
	t.Helper()
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	v, err := verifier.New(verifier.Config{Issuer: issuer.URL, Audience: "api://orders", RootCAs: poolOf(issuer.Certificate()), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(orders.Handler(v, logger))
	server.TLS = verifier.TLSConfig(nil)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func poolOf(cert *x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool
}

func newCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func call(t *testing.T, api *httptest.Server, token string, certificates ...tls.Certificate) (int, []byte) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: poolOf(api.Certificate()), Certificates: certificates, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL+"/orders", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// lockedBuffer is written by the server's goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
