package endpoint

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// Paths of the endpoints.
const (
	tokenPath      = "/oauth2/token"
	introspectPath = "/oauth2/introspect"
	revokePath     = "/oauth2/revoke"
)

// request is a request to an issuer, over a connection of its own.
type request struct {
	path        string
	form        url.Values
	header      http.Header
	certificate *tls.Certificate
	// second asks the second issuer.
	second bool
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    string

	AccessToken string          `json:"access_token"`
	TokenType   string          `json:"token_type"`
	ExpiresIn   int             `json:"expires_in"`
	Error       string          `json:"error"`
	Codes       []oauth.Number  `json:"error_codes"`
	Active      bool            `json:"active"`
	Sub         string          `json:"sub"`
	Cnf         json.RawMessage `json:"cnf"`
}

// form makes form parameters of pairs.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		v.Set(pair[0], pair[1])
	}
	return v
}

// with is a copy of a form with further parameters.
func with(v url.Values, pairs ...string) url.Values {
	all := form(pairs...)
	for name, values := range v {
		if !all.Has(name) {
			all[name] = values
		}
	}
	return all
}

// federated are the parameters that authenticate with a service account's token.
func federated(assertion string) url.Values {
	return form("client_assertion_type", oauth.AssertionTypeJWTBearer, "client_assertion", assertion)
}

func (s *stage) send(ctx context.Context, r request) (answer, error) {
	base := "https://" + s.issuers[0].Address
	if r.second {
		base = "https://" + s.issuers[1].Address
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+r.path, strings.NewReader(r.form.Encode()))
	if err != nil {
		return answer{}, err
	}
	maps.Copy(req.Header, r.header)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	config := &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}
	if r.certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return r.certificate, nil }
	}
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(body)}
	if len(body) > 0 {
		err = json.Unmarshal(body, &a)
	}
	return a, err
}

// post sends a request once.
func (s *stage) post(t *testing.T, r request) answer {
	t.Helper()
	a, err := s.send(t.Context(), r)
	check(t, err)
	return a
}

// token sends a token request until it is served, as it is once the declarations have
// reached the issuer, and returns the answer.
func (s *stage) token(t *testing.T, r request) (a answer) {
	t.Helper()
	if r.path == "" {
		r.path = tokenPath
	}
	testenv.Eventually(t, func(ctx context.Context) (err error) {
		if a, err = s.send(ctx, r); err != nil {
			return err
		}
		return a.served()
	})
	return a
}

// served is nil if a token was given.
func (a answer) served() error {
	if a.status != http.StatusOK || a.AccessToken == "" {
		return fmt.Errorf("the issuer answers %d %s", a.status, a.raw)
	}
	return nil
}

// refused is nil if the answer is that refusal.
func (a answer) refused(number oauth.Number) error {
	if !slices.Equal(a.Codes, []oauth.Number{number}) {
		return fmt.Errorf("the issuer answers %d %s; want number %d", a.status, a.raw, number)
	}
	return nil
}

// wants fails the test unless the answer is that refusal.
func (a answer) wants(t *testing.T, number oauth.Number) {
	t.Helper()
	if err := a.refused(number); err != nil {
		t.Error(err)
	}
}

// claims are those of a JWT, unverified.
type claims struct {
	Iss, Sub, Aud, Jti, Tid, AppID string
	Exp, Iat                       int64
	Roles                          []string
	Cnf                            map[string]string
}

func claimsOf(t *testing.T, token string) (c claims) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	check(t, err)
	check(t, json.Unmarshal(payload, &c))
	return c
}

// thumbprint is the x5t#S256 (RFC 8705 section 3.1) of a certificate.
func thumbprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// eventually waits until something is so.
func (s *stage) eventually(t *testing.T, so func() error) {
	t.Helper()
	testenv.Eventually(t, func(context.Context) error { return so() })
}

// pairs is what form was made of.
func pairs(v url.Values) (all []string) {
	for name, values := range v {
		all = append(all, name, values[0])
	}
	return all
}
