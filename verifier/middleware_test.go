package verifier_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/test/testcert"
	"github.com/lanyard-dev/lanyard/verifier"
)

func TestSchemes(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	token := issuer.sign(issuer.claimsFor(cert.Leaf))
	for _, scheme := range []string{"Bearer", "bearer", "BEARER", "MTLS_POP", "mtls_pop"} {
		wantAccepted(t, api.call(http.Header{"Authorization": {scheme + " " + token}}, cert))
	}
	for _, value := range []string{"Bearer", "Bearer ", "Bearer a b", "Bearer " + token + ",x", "Bearer \"" + token + "\"", "Bearer =="} {
		wantRefused(t, api.call(http.Header{"Authorization": {value}}, cert), 400, "invalid_request", "Authorization")
	}
	for _, value := range []string{"Basic YTpi", "", token, "Bearer\t" + token, "BearerX " + token} {
		wantRefused(t, api.call(http.Header{"Authorization": {value}}, cert), 401, "", "Authorization")
	}
}

func TestRefusesTwoAuthorizationHeaders(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	value := "Bearer " + issuer.sign(issuer.claimsFor(cert.Leaf))
	wantRefused(t, api.call(http.Header{"Authorization": {value, value}}, cert), 400, "invalid_request", "more than one")
}

func TestNamesNoErrorWithoutCredentials(t *testing.T) {
	issuer := newFakeIssuer(t)
	got := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello))).call(nil)
	wantRefused(t, got, 401, "", "no access token")
	if diff := cmp.Diff([]string{
		`Bearer realm="api://orders"`, `MTLS_POP realm="api://orders"`, `DPoP realm="api://orders", algs="RS256 PS256 ES256 ES384 EdDSA"`,
	}, got.challenges); diff != "" {
		t.Error(diff)
	}
	if n := issuer.fetched(); n != 0 {
		t.Errorf("the issuer was asked %d times for a request without a token", n)
	}
}

func TestIgnoresTokenInQueryAndBody(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	token := issuer.sign(issuer.claimsFor(cert.Leaf))
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	form := url.Values{"access_token": {token}}.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL+"/orders?"+form, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	wantRefused(t, api.send(request, cert), 401, "", "no access token")
}

func TestRefusesTokenOfARoleThatWasNotGranted(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v := issuer.verifier()
	token := issuer.sign(issuer.claimsFor(cert.Leaf))

	wantAccepted(t, serve(t, v.RequireRole(role)(http.HandlerFunc(hello))).callWith(token, cert))
	wantAccepted(t, serve(t, v.RequireRole("Orders.Write", role)(http.HandlerFunc(hello))).callWith(token, cert))

	write := serve(t, v.RequireRole("Orders.Write")(http.HandlerFunc(hello)))
	got := write.callWith(token, cert)
	wantRefused(t, got, 403, "insufficient_scope", "Orders.Write")
	if want := `scope="api://orders/Orders.Write"`; !strings.Contains(got.challenges[0], want) {
		t.Errorf("challenge is %s, want %s in it", got.challenges[0], want)
	}
	wantRefused(t, write.callWith(issuer.sign(issuer.claimsFor(cert.Leaf).without("roles")), cert), 403, "insufficient_scope", "Orders.Write")
	wantRefused(t, serve(t, v.RequireRole()(http.HandlerFunc(hello))).callWith(token, cert), 403, "insufficient_scope", "")
	// Who is not even authenticated hears of no role.
	wantRefused(t, write.callWith(token), 401, "invalid_token", "connect with it")
}

func TestChallengeFollowsTheSyntaxOfTheRFC(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v := issuer.verifier()
	got := serve(t, v.RequireRole("a\"b\\c\né")(http.HandlerFunc(hello))).callWith(issuer.sign(issuer.claimsFor(cert.Leaf)), cert)
	want := `Bearer realm="api://orders", error="insufficient_scope", ` +
		`error_description="the client has none of the roles that this needs: abc", scope="api://orders/abc"`
	if got.challenges[0] != want {
		t.Errorf("got  %s\nwant %s", got.challenges[0], want)
	}
}

func TestFromContextOutsideOfTheMiddleware(t *testing.T) {
	if token, ok := verifier.FromContext(t.Context()); ok || token != nil {
		t.Errorf("got %v, %v", token, ok)
	}
}

func TestTLSResumesNoSession(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	api := serve(t, issuer.verifier().Middleware(http.HandlerFunc(hello)))
	roots := x509.NewCertPool()
	roots.AddCert(api.Certificate())
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{cert}, ClientSessionCache: tls.NewLRUClientSessionCache(4),
			MinVersion: version, MaxVersion: version, ServerName: "example.com",
		}
		for range 3 {
			if state := api.exchange(config); state.DidResume {
				t.Errorf("TLS %x: the session was resumed", version)
			}
		}
	}
}

func TestTLSConfigKeepsWhatIsStricter(t *testing.T) {
	base := &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return &tls.Config{MinVersion: tls.VersionTLS12}, nil },
	}
	c := verifier.TLSConfig(base)
	if c.MinVersion != tls.VersionTLS13 || c.ClientAuth != tls.RequireAndVerifyClientCert || !c.SessionTicketsDisabled {
		t.Errorf("got %x, %v, %v", c.MinVersion, c.ClientAuth, c.SessionTicketsDisabled)
	}
	if base.SessionTicketsDisabled {
		t.Error("the given configuration was changed")
	}
	chosen, err := c.GetConfigForClient(nil)
	if err != nil || chosen.ClientAuth != tls.RequestClientCert || !chosen.SessionTicketsDisabled {
		t.Errorf("what GetConfigForClient chooses is not held to the same: %v", err)
	}
}

// handshake reports whether a connection with the certificate comes about.
func (a *api) handshake(cert tls.Certificate) error {
	a.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	conn, err := tls.Dial("tcp", a.Listener.Addr().String(), &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{cert}, ServerName: "example.com", MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	// In TLS 1.3 the server's answer to the certificate comes with the first read.
	if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// exchange makes one request, so that tickets would have been received.
func (a *api) exchange(config *tls.Config) tls.ConnectionState {
	a.t.Helper()
	conn, err := tls.Dial("tcp", a.Listener.Addr().String(), config)
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		a.t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		a.t.Fatal(err)
	}
	return conn.ConnectionState()
}

func pemOf(cert tls.Certificate) string {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
	return url.QueryEscape(text)
}

// flipS turns the signature (r, s) around into (r, n-s).
func flipS(t *testing.T, token string, signer *jose.Signer) string {
	t.Helper()
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	key, ok := signer.Key().Public.(*ecdsa.PublicKey)
	if !ok {
		t.Fatal("not an ECDSA key")
	}
	new(big.Int).Sub(key.Params().N, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
	return token[:dot+1] + base64.RawURLEncoding.EncodeToString(sig)
}
