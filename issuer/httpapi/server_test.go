package httpapi_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// A library that knows nothing of Lanyard finds the keys and verifies the token.
func TestIndependentLibraryVerifiesTokens(t *testing.T) {
	h := newHouse(t)
	ctx := oidc.ClientContext(t.Context(), client(t))
	provider, err := oidc.NewProvider(ctx, h.url)
	if err != nil {
		t.Fatal(err)
	}
	if got := provider.Endpoint().TokenURL; got != h.url+"/oauth2/token" {
		t.Errorf("token_endpoint = %s", got)
	}
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: identifier, Now: h.clock.now})
	for name, r := range map[string]reply{
		"federated": h.token(t, federatedForm(sign(h.claims())), checkoutCert()),
		"mTLS":      h.token(t, mtlsForm("shop/checkout"), checkoutCert()),
	} {
		if r.TokenType != "Bearer" || r.ExpiresIn != 600 || r.Scope != "api://orders/Orders.Read.All" {
			t.Errorf("%s: got %s", name, r.raw)
		}
		token, err := verifier.Verify(ctx, r.AccessToken)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var claims struct {
			ClientID string   `json:"client_id"`
			Roles    []string `json:"roles"`
			Cnf      struct {
				Thumbprint string `json:"x5t#S256"`
			} `json:"cnf"`
			Kubernetes struct {
				Pod struct{ UID string } `json:"pod"`
			} `json:"kubernetes.io"`
		}
		if err := token.Claims(&claims); err != nil {
			t.Fatal(err)
		}
		if token.Subject != "shop/checkout" || claims.ClientID != "shop/checkout" || !slices.Equal(claims.Roles, []string{"Orders.Read.All"}) || claims.Cnf.Thumbprint != thumbprintOf(checkoutCert()) {
			t.Errorf("%s: claims %+v of %s", name, claims, token.Subject)
		}
		if (claims.Kubernetes.Pod.UID == "pod-1") != (name == "federated") {
			t.Errorf("%s: pod %q", name, claims.Kubernetes.Pod.UID)
		}
	}
}

func TestPublishesKeysAndMetadata(t *testing.T) {
	h := newHouse(t)
	c := client(t)
	for _, path := range []string{"/oauth2/keys", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		r := send(t, c, request(t, http.MethodGet, h.url+path, "", nil))
		etag := r.header.Get("ETag")
		if r.status != http.StatusOK || r.header.Get("Cache-Control") != "public, max-age=300" || etag == "" || len(r.raw) < 50 {
			t.Errorf("GET %s: %d %v %s", path, r.status, r.header, r.raw)
		}
		for match, want := range map[string]int{etag: 304, "W/" + etag: 304, `"x", ` + etag: 304, "*": 304, `"x"`: 200} {
			if r := send(t, c, request(t, http.MethodGet, h.url+path, "", http.Header{"If-None-Match": {match}})); r.status != want {
				t.Errorf("GET %s with If-None-Match %s: %d; want %d", path, match, r.status, want)
			}
		}
		if r := send(t, c, request(t, http.MethodHead, h.url+path, "", nil)); r.status != http.StatusOK || r.raw != "" || r.header.Get("ETag") != etag {
			t.Errorf("HEAD %s: %d %q", path, r.status, r.raw)
		}
	}
	h.health.refusal.Store(oauth.NewError(oauth.ErrStale, ""))
	if r := send(t, c, request(t, http.MethodGet, h.url+"/oauth2/keys", "", nil)); r.status != http.StatusOK {
		t.Errorf("while the issuer is stale the keys are gone: %d", r.status)
	}
	want := `"token_endpoint_auth_methods_supported":["private_key_jwt","tls_client_auth","self_signed_tls_client_auth"]`
	r := send(t, c, request(t, http.MethodGet, h.url+"/.well-known/oauth-authorization-server", "", nil))
	for _, want := range []string{want, `"tls_client_certificate_bound_access_tokens":true`, `"response_types_supported":[]`, `"issuer":"` + h.url + `"`, `"id_token_signing_alg_values_supported":["ES256"]`} {
		if !strings.Contains(r.raw, want) {
			t.Errorf("the metadata %s lacks %s", r.raw, want)
		}
	}
}

func TestPublishesNothingWithoutKeys(t *testing.T) {
	s := withService(t, unexpected(t), func(c *httpapi.Config) { c.Keys = mint.NewKeys() })
	for _, path := range []string{"/oauth2/keys", "/.well-known/openid-configuration"} {
		if r := send(t, client(t), request(t, http.MethodGet, s.url+path, "", nil)); r.status != http.StatusServiceUnavailable || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s: %d %v", path, r.status, r.header)
		}
	}
}

// A resumed session would carry a certificate that nobody showed again.
func TestRefusesSessionResumption(t *testing.T) {
	h := newHouse(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := &sessionCache{ClientSessionCache: tls.NewLRUClientSessionCache(8)}
		for range 3 {
			cfg := tlsClientConfig(checkoutCert())
			cfg.ClientSessionCache, cfg.MinVersion, cfg.MaxVersion = cache, version, version
			tr := &http.Transport{TLSClientConfig: cfg}
			req := request(t, http.MethodPost, h.url+"/oauth2/token", mtlsForm("shop/checkout").Encode(), nil)
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.TLS.DidResume || resp.TLS.Version != version {
				t.Errorf("TLS %x: status %d, resumed: %v", resp.TLS.Version, resp.StatusCode, resp.TLS.DidResume)
			}
			tr.CloseIdleConnections()
		}
		if cache.puts != 0 {
			t.Errorf("TLS %x: the server gave out %d session tickets", version, cache.puts)
		}
	}
}

type sessionCache struct {
	tls.ClientSessionCache
	puts int
}

func (c *sessionCache) Put(key string, s *tls.ClientSessionState) {
	if s != nil {
		c.puts++
	}
	c.ClientSessionCache.Put(key, s)
}

func TestRefusesOldTLS(t *testing.T) {
	s := withService(t, unexpected(t))
	cfg := tlsClientConfig()
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	d := &tls.Dialer{Config: cfg}
	if c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://")); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 was accepted")
	}
}

func TestRefusesHeadersOverTheLimit(t *testing.T) {
	s := withService(t, unexpected(t))
	req := request(t, http.MethodPost, s.url+"/oauth2/token", "", http.Header{"X": {strings.Repeat("a", 64<<10)}})
	if r := send(t, client(t), req); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d", r.status)
	}
}

func TestEndsConnectionsOfAge(t *testing.T) {
	ok := fakeService(func(tokenservice.Request, *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		return tokenservice.Answer{AccessToken: "x"}, nil
	})
	s := withService(t, ok)
	c := client(t)
	ask := func() reply { return send(t, c, request(t, http.MethodPost, s.url+"/oauth2/token", "", nil)) }
	if r := ask(); r.close {
		t.Error("a young connection was closed")
	}
	s.clock.advance(4 * time.Minute)
	if r := ask(); r.status != http.StatusOK || !r.close {
		t.Errorf("after 4 min: status %d, closed: %v; want an answer, and the end", r.status, r.close)
	}
	if r := ask(); r.close {
		t.Error("the next connection was closed")
	}
	s.api.Drain()
	if r := ask(); r.status != http.StatusOK || !r.close {
		t.Errorf("draining: status %d, closed: %v", r.status, r.close)
	}
}

// dial opens a connection and does the handshake.
func dial(t *testing.T, s *running) *tls.Conn {
	t.Helper()
	return dialWith(t, s, tlsClientConfig())
}

func dialWith(t *testing.T, s *running, cfg *tls.Config) *tls.Conn {
	t.Helper()
	d := &tls.Dialer{Config: cfg}
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*tls.Conn)
}

// closed waits until the server closes c.
func closed(t *testing.T, c net.Conn) bool {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	_, err := c.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err)
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

func TestEndsConnectionThatNeverAsks(t *testing.T) {
	const (
		age      = 3 * time.Second // a busy machine needs some of it for the handshake
		silently = 9 * time.Second // after 10 it is closed because no headers came
	)
	s := start(t, func(_ string, _ func() time.Time, c *httpapi.Config) { c.Service = unexpected(t) }, httpapi.ServerConfig{MaxConnectionAge: age})
	conn, begun := dial(t, s), time.Now()
	if ended := closed(t, conn); !ended || time.Since(begun) > silently {
		t.Errorf("a connection outlived its age of %s: closed after %s: %v", age, time.Since(begun), ended)
	}
}

func TestIdleStrangersKeepNobodyOut(t *testing.T) {
	ok := fakeService(func(tokenservice.Request, *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		return tokenservice.Answer{AccessToken: "x"}, nil
	})
	s := start(t, func(_ string, _ func() time.Time, c *httpapi.Config) { c.Service = ok }, httpapi.ServerConfig{MaxConnections: 20})
	honest := client(t)
	ask := func() reply { return send(t, honest, request(t, http.MethodPost, s.url+"/oauth2/token", "", nil)) }
	ask()
	var strangers []*tls.Conn
	for range 60 {
		strangers = append(strangers, dial(t, s))
		if r := ask(); r.status != http.StatusOK {
			t.Fatalf("got %d", r.status)
		}
	}
	for i, c := range strangers[:40] {
		if !closed(t, c) {
			t.Fatalf("stranger %d of 60 is still connected; 20 may be", i)
		}
	}
}

func TestServesHTTP2(t *testing.T) {
	h := newHouse(t)
	tr := &http.Transport{TLSClientConfig: tlsClientConfig(checkoutCert()), ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	ask := func() (*http.Response, error) {
		resp, err := tr.RoundTrip(request(t, http.MethodPost, h.url+"/oauth2/token", mtlsForm("shop/checkout").Encode(), nil))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		return resp, err
	}
	for range 3 {
		resp, err := ask()
		if err != nil || resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
			t.Fatalf("got %v, %v", resp, err)
		}
	}
	// A refused certificate ends this kind of connection, too.
	h.registry.DeleteCertificate("shop", "checkout")
	if resp, err := ask(); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %v, %v", resp, err)
	}
	h.registry.ApplyCertificate(pinned("checkout", checkoutCert()))
	if resp, err := ask(); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the next connection: got %v, %v", resp, err)
	}
}

func TestShutdownAnswersWhatWasBegun(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := withService(t, func(tokenservice.Request, *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		close(begun)
		<-goOn
		return tokenservice.Answer{AccessToken: "x"}, nil
	})
	got := make(chan reply, 1)
	go func() {
		got <- send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", "", nil))
	}()
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- s.server.Shutdown(context.Background()) }()
	eventually(t, "the server no longer listens", func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "https://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(goOn)
	if r := <-got; r.status != http.StatusOK {
		t.Errorf("got %d", r.status)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRefusesBodyThatStops(t *testing.T) {
	s := withService(t, unexpected(t))
	c := dial(t, s)
	_, _ = io.WriteString(c, "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant_type=")
	_ = c.CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest || !resp.Close {
		t.Errorf("got %d, closed: %v", resp.StatusCode, resp.Close)
	}
}
