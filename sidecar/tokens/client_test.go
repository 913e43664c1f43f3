package tokens_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// served is an issuer at a real socket.
type served struct {
	*httptest.Server

	dir    string
	answer http.HandlerFunc
}

func serve(t *testing.T, answer http.HandlerFunc) *served {
	t.Helper()
	s := &served{dir: t.TempDir(), answer: answer}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(w, r) }))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	s.write(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	s.write(t, "assertion", "header.claims.signature\n")
	return s
}

func (s *served) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *served) client(edits ...func(*tokens.ClientConfig)) *tokens.Client {
	cfg := tokens.ClientConfig{
		Issuer: s.URL, ClientID: "shop/checkout", AssertionFile: filepath.Join(s.dir, "assertion"), CAFile: filepath.Join(s.dir, "ca.crt"),
	}
	for _, edit := range edits {
		edit(&cfg)
	}
	return tokens.NewClient(cfg)
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestTheRequestIsThatOfTheStandard(t *testing.T) {
	own := certificate(t)
	var got url.Values
	var thumbprint, path string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, thumbprint = r.URL.String(), tokens.Thumbprint(&tls.Certificate{Certificate: [][]byte{r.TLS.PeerCertificates[0].Raw}})
		_ = r.ParseForm()
		got = r.PostForm
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":600,"scope":"api://orders/Orders.Read.All"}`,
			jwt(`{"cnf":{"x5t#S256":"abc"}}`))
	})
	grant, err := s.client().Token(t.Context(), orders, own)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"shop/checkout"}, "scope": {"api://orders/.default"},
		"client_assertion_type": {oauth.AssertionTypeJWTBearer}, "client_assertion": {"header.claims.signature"},
	}
	if diff := cmp.Diff(want, got); diff != "" || path != "/oauth2/token" || thumbprint != tokens.Thumbprint(own) {
		t.Errorf("%s at %s with the certificate %s", diff, path, thumbprint)
	}
	if diff := cmp.Diff(tokens.Grant{
		AccessToken: jwt(`{"cnf":{"x5t#S256":"abc"}}`), TokenType: "Bearer", ExpiresIn: 10 * time.Minute,
		Scope: "api://orders/Orders.Read.All", Thumbprint: "abc",
	}, grant); diff != "" {
		t.Error(diff)
	}
}

func TestTheCertificateAloneAuthenticates(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("client_id") != "shop/checkout" || r.PostForm.Has("client_assertion") {
			t.Errorf("got %v", r.PostForm)
		}
		_, _ = io.WriteString(w, `{"access_token":"opaque","token_type":"Bearer","expires_in":60}`)
	})
	grant, err := s.client(func(c *tokens.ClientConfig) { c.AssertionFile = "" }).Token(t.Context(), orders, certificate(t))
	if err != nil || grant.AccessToken != "opaque" || grant.Thumbprint != "" {
		t.Errorf("got %+v, %v", grant, err)
	}
}

func TestTheAssertionIsReadAtEachRequest(t *testing.T) {
	var last string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		last = r.PostFormValue("client_assertion")
		answering(http.StatusOK, `{"access_token":"a","expires_in":60}`)(w, r)
	})
	c := s.client()
	for _, assertion := range []string{"first", "second"} {
		s.write(t, "assertion", assertion)
		if _, err := c.Token(t.Context(), orders, nil); err != nil || last != assertion {
			t.Errorf("sent %q, %v", last, err)
		}
	}
}

func TestAnswersThatBringNoToken(t *testing.T) {
	const identity = `{"error":"invalid_client","error_description":"the client could not be authenticated","error_codes":[20001],"trace_id":"t-1"}`
	for name, test := range map[string]struct {
		status  int
		body    string
		refused bool
		says    string
	}{
		"a refusal":                 {401, identity, true, "the issuer refuses a token for api://orders with number 20001 and trace_id t-1: invalid_client: the client could not be authenticated"},
		"a client of DPoP":          {400, `{"error":"invalid_request","error_description":"send a DPoP proof","error_codes":[40008]}`, true, "send a DPoP proof; the sidecar makes no DPoP proofs: the client's spec.tokenBinding has to be MTLS or None"},
		"a refusal with line feeds": {400, `{"error":"invalid_scope","error_description":"a\nb"}`, true, "invalid_scope: a?b"},
		"too many requests":         {429, `{"error":"slow_down","error_description":"too many"}`, false, "slow_down: too many"},
		"starting":                  {503, `{"error":"temporarily_unavailable","error_codes":[50001],"trace_id":"t-1"}`, false, "there is no token for api://orders: the issuer answers with number 50001 and trace_id t-1: temporarily_unavailable"},
		"no JSON":                   {502, "<html>SECRET</html>", false, "no issuer of Lanyard"},
		"a redirect":                {307, "", false, "it says 307"},
		"neither token nor error":   {200, "{}", false, "neither a token nor an error"},
		"both":                      {200, `{"access_token":"SECRET","error":"x"}`, false, "neither"},
		"no end":                    {200, `{"access_token":"SECRET"}`, false, "expires_in"},
		"a token with a line feed":  {200, `{"access_token":"SECRET\n","expires_in":60}`, false, "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answering(test.status, test.body))
			_, err := s.client().Token(t.Context(), orders, nil)
			if err == nil || is[*tokens.Unavailable](err) == test.refused || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		answering(http.StatusServiceUnavailable, `{"error":"temporarily_unavailable"}`)(w, r)
	})
	_, err := s.client().Token(t.Context(), orders, nil)
	if u, ok := err.(*tokens.Unavailable); !ok || u.RetryAfter != 7*time.Second { //nolint:errorlint // it is returned as it is
		t.Errorf("got %v", err)
	}
}

func TestAReplicaThatDiesIsNoFailure(t *testing.T) {
	var requests atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) < 3 {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.Close()
			return
		}
		answering(http.StatusOK, `{"access_token":"a","expires_in":60}`)(w, r)
	})
	if _, err := s.client().Token(t.Context(), orders, nil); err != nil {
		t.Error(err)
	}
}

func TestRefusesAnIssuerWithAnotherCertificate(t *testing.T) {
	asked := false
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	other := certificate(t)
	s.write(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate[0]})))
	_, err := s.client().Token(t.Context(), orders, nil)
	if !is[*tokens.Unavailable](err) || asked || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v; asked: %v", err, asked)
	}
}

func TestRefusesToFollowARedirect(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if _, err := s.client().Token(t.Context(), orders, nil); err == nil || followed {
		t.Errorf("got %v; followed: %v", err, followed)
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	s := serve(t, answering(http.StatusOK, "{}"))
	for name, test := range map[string]struct {
		edit func(*tokens.ClientConfig)
		says string
	}{
		"no assertion":       {func(c *tokens.ClientConfig) { c.AssertionFile = "/nowhere" }, "--assertion-file: open /nowhere"},
		"an empty assertion": {func(c *tokens.ClientConfig) { c.AssertionFile = os.DevNull }, "/dev/null is empty"},
		"an endless one":     {func(c *tokens.ClientConfig) { c.AssertionFile = "/dev/zero" }, "more than 16 KiB"},
		"no roots":           {func(c *tokens.ClientConfig) { c.CAFile = "/nowhere" }, "--ca: open /nowhere"},
		"no PEM":             {func(c *tokens.ClientConfig) { c.CAFile = c.AssertionFile }, "no certificate in PEM"},
		"no issuer":          {func(c *tokens.ClientConfig) { c.Issuer = "https://127.0.0.1:1" }, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.client(test.edit).Token(t.Context(), orders, nil)
			if !is[*tokens.Unavailable](err) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheRequestEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.client().Token(ctx, orders, nil); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}
