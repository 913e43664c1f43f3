package httpapi_test

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// withService starts an issuer whose token service is a fake.
func withService(t *testing.T, s fakeService, edits ...func(*httpapi.Config)) *running {
	t.Helper()
	return start(t, func(_ string, _ func() time.Time, c *httpapi.Config) {
		c.Service = s
		for _, edit := range edits {
			edit(c)
		}
	}, httpapi.ServerConfig{})
}

func unexpected(t *testing.T) fakeService {
	t.Helper()
	return func(r tokenservice.Request, _ *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		t.Errorf("the token service was asked: %+v", r)
		return tokenservice.Answer{}, oauth.NewError(oauth.ErrInternal, "")
	}
}

func TestParsesRequest(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		header     http.Header
		certs      []tls.Certificate
		want       tokenservice.Request
	}{
		"every parameter": {
			body: "grant_type=client_credentials&client_id=a&client_assertion_type=b&client_assertion=c.d.e&scope=f%2Fg+h&resource=i&token_type=mtls_pop",
			want: tokenservice.Request{
				GrantType: "client_credentials", Scope: "f/g h", Resource: "i", TokenType: "mtls_pop",
				Presented: clientauth.Presented{ClientID: "a", AssertionType: "b", Assertion: "c.d.e"},
			},
		},
		"the path with a version":         {path: "/oauth2/v1/token", body: "grant_type=x", want: tokenservice.Request{GrantType: "x"}},
		"a parameter that nobody knows":   {body: "grant_type=x&req_cnf=1&req_cnf=2", want: tokenservice.Request{GrantType: "x"}},
		"a parameter without a value":     {body: "grant_type=x&client_id=&scope", want: tokenservice.Request{GrantType: "x"}},
		"nothing":                         {want: tokenservice.Request{}},
		"stray separators":                {body: "&&grant_type=x&", want: tokenservice.Request{GrantType: "x"}},
		"a name that is escaped":          {body: "grant%5ftype=x", want: tokenservice.Request{GrantType: "x"}},
		"a charset that is UTF-8":         {header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; Charset=UTF-8"}}, body: "grant_type=x", want: tokenservice.Request{GrantType: "x"}},
		"a query that is none of OAuth's": {path: "/oauth2/token?api-version=1&x", body: "grant_type=x", want: tokenservice.Request{GrantType: "x"}},
		"a secret in the form":            {body: "client_secret=s", want: tokenservice.Request{Presented: clientauth.Presented{Secret: "s", SecretMethod: oauth.AuthClientSecretPost}}},
		"an Authorization header":         {header: http.Header{"Authorization": {"Bearer x"}}, want: tokenservice.Request{Presented: clientauth.Presented{OtherAuthorization: true}}},
		"a Basic header": {header: basic("shop%2Fcheckout:a+b%25"), want: tokenservice.Request{Presented: clientauth.Presented{
			ClientID: "shop/checkout", Secret: "a b%", SecretMethod: oauth.AuthClientSecretBasic,
		}}},
		"a Basic header of a client that does not encode, and the same client_id": {header: basic("shop/checkout:s:s"), body: "client_id=shop%2Fcheckout", want: tokenservice.Request{Presented: clientauth.Presented{
			ClientID: "shop/checkout", Secret: "s:s", SecretMethod: oauth.AuthClientSecretBasic,
		}}},
		"a Basic header without a secret":           {header: basic("shop/checkout:"), want: tokenservice.Request{Presented: clientauth.Presented{ClientID: "shop/checkout", SecretMethod: oauth.AuthClientSecretBasic}}},
		"a Basic header without a user":             {header: basic(":s"), body: "client_id=a", want: otherAuthorization("a")},
		"a Basic header without a colon":            {header: basic("s"), body: "client_id=a", want: otherAuthorization("a")},
		"a Basic header with NUL":                   {header: basic("a%00:s"), want: otherAuthorization("")},
		"a Basic header with what is no UTF-8":      {header: basic("a:\xff"), want: otherAuthorization("")},
		"a Basic header with a broken escape":       {header: basic("a:%zz"), want: otherAuthorization("")},
		"a Basic header that is no base64":          {header: http.Header{"Authorization": {"Basic a:b"}}, want: otherAuthorization("")},
		"a Basic header that is too long":           {header: basic("a:" + strings.Repeat("x", 4<<10)), want: otherAuthorization("")},
		"two Basic headers":                         {header: http.Header{"Authorization": {basic("a:b").Get("Authorization"), basic("a:b").Get("Authorization")}}, want: otherAuthorization("")},
		"two proofs, which the service judges":      {header: http.Header{"Dpop": {"a", "b"}}, body: "dpop_jkt=x", want: tokenservice.Request{DPoP: []string{"a", "b"}}},
		"the assertion type jwt-pop":                {body: "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-pop", want: tokenservice.Request{Presented: clientauth.Presented{AssertionType: oauth.AssertionTypeJWTPoP}}},
		"a tenant's path":                           {path: "/shop/oauth2/v2.0/token", body: "grant_type=x", want: tokenservice.Request{GrantType: "x", Presented: clientauth.Presented{Tenant: "shop"}}},
		"what msal-node sends, and nobody asks for": {path: "/shop/oauth2/v2.0/token?client-request-id=7", body: "grant_type=x&client_info=1&x-client-SKU=msal.js.node&x-client-VER=7&x-ms-lib-capability=retry-after&client-request-id=7&claims=%7B%7D&client_info=1", want: tokenservice.Request{GrantType: "x", Presented: clientauth.Presented{Tenant: "shop"}}},
		"an empty secret, which is none":            {body: "client_secret=", want: tokenservice.Request{}},
		"the certificate of the connection":         {certs: []tls.Certificate{checkoutCert()}, want: tokenservice.Request{Presented: clientauth.Presented{Peer: peerOf(checkoutCert())}}},
		"an assertion of 16 KiB":                    {body: "client_assertion=" + strings.Repeat("a", 16<<10), want: tokenservice.Request{Presented: clientauth.Presented{Assertion: strings.Repeat("a", 16<<10)}}},
		"a body of 64 KiB":                          {body: "x=" + strings.Repeat("a", 64<<10-2), want: tokenservice.Request{}},
		"parameters in other letters: others":       {body: "Grant_Type=x", want: tokenservice.Request{}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []tokenservice.Request
			s := withService(t, func(r tokenservice.Request, _ *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
				r.Admit = nil // a function cannot be compared; TestLimitsRates sees what it does
				got = append(got, r)
				return tokenservice.Answer{}, nil
			})
			path := c.path
			if path == "" {
				path = "/oauth2/token"
			}
			r := send(t, client(t, c.certs...), request(t, http.MethodPost, s.url+path, c.body, c.header))
			if r.status != http.StatusOK {
				t.Fatalf("got %d %s", r.status, r.raw)
			}
			// What follows from path and form at every request.
			c.want.Presented.Endpoint, c.want.Presented.GrantType = s.url+strings.Split(path, "?")[0], c.want.GrantType
			if diff := cmp.Diff([]tokenservice.Request{c.want}, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func basic(credentials string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))}}
}

func otherAuthorization(clientID string) tokenservice.Request {
	return tokenservice.Request{Presented: clientauth.Presented{ClientID: clientID, OtherAuthorization: true}}
}

func TestRefusesRequestThatIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, body string
		header             http.Header
		status             int
		want               oauth.Number
	}{
		"a parameter twice":                        {body: "scope=a&scope=b", status: 400, want: oauth.ErrDuplicateParameter},
		"a parameter twice with one value":         {body: "grant_type=a&grant_type=a", status: 400, want: oauth.ErrDuplicateParameter},
		"a parameter twice, once empty":            {body: "client_id=&client_id=a", status: 400, want: oauth.ErrDuplicateParameter},
		"a parameter twice, once escaped":          {body: "client_id=a&client%5fid=b", status: 400, want: oauth.ErrDuplicateParameter},
		"an assertion twice":                       {body: "client_assertion=a&client_assertion=b", status: 400, want: oauth.ErrDuplicateParameter},
		"two resources":                            {body: "resource=a&resource=b", status: 400, want: oauth.ErrScopeMismatch},
		"a secret in the URL":                      {path: "/oauth2/token?client_secret=x", status: 400, want: oauth.ErrMalformedBody},
		"a parameter in the URL, escaped":          {path: "/oauth2/token?client%5Fassertion=x", status: 400, want: oauth.ErrMalformedBody},
		"a parameter in the URL without value":     {path: "/oauth2/token?grant_type", status: 400, want: oauth.ErrMalformedBody},
		"bytes that are no UTF-8":                  {body: "scope=%ff", status: 400, want: oauth.ErrMalformedBody},
		"bytes that are no UTF-8, unescaped":       {body: "scope=\xff", status: 400, want: oauth.ErrMalformedBody},
		"NUL":                                      {body: "client_id=a%00b", status: 400, want: oauth.ErrMalformedBody},
		"NUL in a parameter nobody knows":          {body: "x=%00", status: 400, want: oauth.ErrMalformedBody},
		"a broken escape":                          {body: "scope=%zz", status: 400, want: oauth.ErrMalformedBody},
		"JSON":                                     {body: `{"grant_type":"x"}`, header: http.Header{"Content-Type": {"application/json"}}, status: 415, want: oauth.ErrWrongContentType},
		"multipart":                                {header: http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, status: 415, want: oauth.ErrWrongContentType},
		"another charset":                          {header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-16"}}, status: 415, want: oauth.ErrWrongContentType},
		"no content type":                          {header: http.Header{"Content-Type": nil}, status: 415, want: oauth.ErrWrongContentType},
		"two content types":                        {header: http.Header{"Content-Type": {"application/x-www-form-urlencoded", "text/plain"}}, status: 415, want: oauth.ErrWrongContentType},
		"two secrets":                              {body: "client_secret=s", header: basic("a:s"), status: 400, want: oauth.ErrTwoMethods},
		"two clients":                              {body: "client_id=b", header: basic("a:s"), status: 400, want: oauth.ErrTwoMethods},
		"two tokens that are asked about":          {path: "/oauth2/introspect", body: "token=a&token=b", status: 400, want: oauth.ErrDuplicateParameter},
		"a token in the URL":                       {path: "/oauth2/introspect?token=a", status: 400, want: oauth.ErrMalformedBody},
		"a token of 16 KiB and 1":                  {path: "/oauth2/revoke", body: "token=" + strings.Repeat("a", 16<<10+1), status: 413, want: oauth.ErrBodyTooLarge},
		"GET at the introspection endpoint":        {method: http.MethodGet, path: "/oauth2/introspect?token=a", status: 405, want: oauth.ErrWrongMethod},
		"GET at the revocation endpoint":           {method: http.MethodGet, path: "/oauth2/revoke", status: 405, want: oauth.ErrWrongMethod},
		"GET at a tenant's token endpoint":         {method: http.MethodGet, path: "/shop/oauth2/v2.0/token", status: 405, want: oauth.ErrWrongMethod},
		"GET at the authorization endpoint":        {method: http.MethodGet, path: "/shop/oauth2/v2.0/authorize?response_type=code", status: 400, want: oauth.ErrUnsupportedResponseType},
		"POST at the authorization endpoint":       {path: "/shop/oauth2/v2.0/authorize", body: "response_type=code", status: 400, want: oauth.ErrUnsupportedResponseType},
		"a path in other letters":                  {path: "/OAuth2/token", status: 404, want: oauth.ErrNotFound},
		"a path that is escaped without need":      {path: "/oauth2/tok%65n", status: 404, want: oauth.ErrNotFound},
		"a tenant that is no namespace":            {path: "/Shop/oauth2/v2.0/token", status: 404, want: oauth.ErrNotFound},
		"a tenant with an escaped slash":           {path: "/a%2Fshop/oauth2/v2.0/token", status: 404, want: oauth.ErrNotFound},
		"a tenant of 64 letters":                   {path: "/" + strings.Repeat("a", 64) + "/oauth2/v2.0/token", status: 404, want: oauth.ErrNotFound},
		"an empty tenant":                          {path: "//oauth2/v2.0/token", status: 404, want: oauth.ErrNotFound},
		"a tenant's keys":                          {path: "/shop/oauth2/keys", status: 404, want: oauth.ErrNotFound},
		"a compressed body":                        {header: http.Header{"Content-Encoding": {"gzip"}}, status: 415, want: oauth.ErrWrongContentType},
		"a body of 64 KiB and 1":                   {body: "x=" + strings.Repeat("a", 64<<10-1), status: 413, want: oauth.ErrBodyTooLarge},
		"an assertion of 16 KiB and 1":             {body: "client_assertion=" + strings.Repeat("a", 16<<10+1), status: 413, want: oauth.ErrBodyTooLarge},
		"GET at the token endpoint":                {method: http.MethodGet, status: 405, want: oauth.ErrWrongMethod},
		"HEAD at the token endpoint":               {method: http.MethodHead, status: 405},
		"POST at the keys":                         {path: "/oauth2/keys", status: 405, want: oauth.ErrWrongMethod},
		"DELETE at the metadata":                   {method: http.MethodDelete, path: "/.well-known/openid-configuration", status: 405, want: oauth.ErrWrongMethod},
		"another path":                             {path: "/oauth2/authorize", status: 404, want: oauth.ErrNotFound},
		"a path with a slash too many":             {path: "//oauth2/token", status: 404, want: oauth.ErrNotFound},
		"a path with a slash at the end":           {path: "/oauth2/token/", status: 404, want: oauth.ErrNotFound},
		"a path with dots":                         {path: "/x/../oauth2/token", status: 404, want: oauth.ErrNotFound},
		"the metrics, which are on the other port": {method: http.MethodGet, path: "/metrics", status: 404, want: oauth.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			s := withService(t, unexpected(t))
			path, method := c.path, c.method
			if path == "" {
				path = "/oauth2/token"
			}
			if method == "" {
				method = http.MethodPost
			}
			r := send(t, client(t), request(t, method, s.url+path, c.body, c.header))
			if r.status != c.status || r.number() != c.want {
				t.Errorf("got %d %s; want %d with %d", r.status, r.raw, c.status, c.want)
			}
			if r.status == http.StatusMethodNotAllowed && r.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if got := r.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control = %q; want no-store", got)
			}
		})
	}
}

func TestReadsChunkedBody(t *testing.T) {
	s := withService(t, func(r tokenservice.Request, _ *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		return tokenservice.Answer{Scope: r.Scope}, nil
	})
	ask := func(body string) reply {
		req := request(t, http.MethodPost, s.url+"/oauth2/token", body, nil)
		req.ContentLength = -1
		return send(t, client(t), req)
	}
	if r := ask("scope=a"); r.status != http.StatusOK || r.Scope != "a" {
		t.Errorf("got %d %s", r.status, r.raw)
	}
	if r := ask("x=" + strings.Repeat("a", 64<<10-1)); r.status != http.StatusRequestEntityTooLarge || r.number() != oauth.ErrBodyTooLarge || !r.close {
		t.Errorf("got %d %s (closed: %v)", r.status, r.raw, r.close)
	}
}

func TestAnswersToken(t *testing.T) {
	s := withService(t, func(_ tokenservice.Request, e *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		*e = tokenservice.Event{ClientID: "shop/checkout", Method: oauth.AuthTLSClient, Audience: identifier, Roles: []string{"a", "b"}, TokenID: "id", ExpiresAt: noon}
		return tokenservice.Answer{AccessToken: "a.b.c", TokenType: oauth.TokenBearer, ExpiresIn: 599 * time.Second, Scope: "api://orders/a api://orders/b"}, nil
	})
	r := send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", "grant_type=client_credentials", nil))
	want := `{"access_token":"a.b.c","token_type":"Bearer","expires_in":599,"scope":"api://orders/a api://orders/b"}` + "\n"
	if r.status != http.StatusOK || r.raw != want {
		t.Errorf("got %d %s; want 200 %s", r.status, r.raw, want)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json"} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	e := s.lastEvent(t)
	for name, want := range map[string]any{
		"status": 200., "outcome": "ok", "client_id": "shop/checkout", "auth_method": "tls_client_auth", "audience": identifier,
		"jti": "id", "expires": "2026-03-01T12:00:00Z", "path": "/oauth2/token", "method": "POST", "peer": "127.0.0.1", "level": "INFO",
	} {
		if e[name] != want {
			t.Errorf("logged %s = %v; want %v", name, e[name], want)
		}
	}
}

func TestAnswersError(t *testing.T) {
	refusal := oauth.NewError(oauth.ErrIdentity, "")
	s := withService(t, func(tokenservice.Request, *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		return tokenservice.Answer{}, refusal
	})
	ask := func(header http.Header) reply {
		return send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", "", header))
	}
	r := ask(nil)
	if r.Error != "invalid_client" || r.ErrorDescription == "" || r.number() != oauth.ErrIdentity || r.Timestamp != "2026-03-01T12:00:00Z" || len(r.TraceID) != 32 || len(r.CorrelationID) != 32 {
		t.Errorf("got %s", r.raw)
	}
	if r2 := ask(nil); r2.TraceID == r.TraceID || r2.CorrelationID == r.CorrelationID {
		t.Error("two requests have the same ids")
	}
	for name, c := range map[string]struct {
		sent string
		kept bool
	}{
		"an id":                    {"7f9a-1", true},
		"an id with quotes":        {`a"b\c`, true},
		"128 characters":           {strings.Repeat("x", 128), true},
		"129 characters":           {strings.Repeat("x", 129), false},
		"what is no ASCII":         {"ü", false},
		"a tab, which HTTP allows": {"a\tb", false},
	} {
		t.Run("client-request-id: "+name, func(t *testing.T) {
			r := ask(http.Header{"Client-Request-Id": {c.sent}})
			if (r.CorrelationID == c.sent) != c.kept {
				t.Errorf("correlation_id = %q for %q", r.CorrelationID, c.sent)
			}
			if got := s.lastEvent(t)["correlation_id"]; got != r.CorrelationID {
				t.Errorf("logged correlation_id = %v; want %q", got, r.CorrelationID)
			}
		})
	}
	for header, want := range map[string]string{
		"":           "private_key_jwt, tls_client_auth, self_signed_tls_client_auth",
		"Basic eDp5": `Basic realm="lanyard"`,
		"basic eDp5": `Basic realm="lanyard"`,
	} {
		var h http.Header
		if header != "" {
			h = http.Header{"Authorization": {header}}
		}
		if got := ask(h).header.Get("WWW-Authenticate"); got != want {
			t.Errorf("WWW-Authenticate = %q for Authorization %q; want %q", got, header, want)
		}
	}
	refusal = oauth.NewError(oauth.ErrLifetimeTooLow, "say \"this\"\\\nor ü")
	if r := ask(nil); r.ErrorDescription != "say 'this'??or ?" || r.header.Get("WWW-Authenticate") != "" {
		t.Errorf("got %s with %v", r.raw, r.header)
	}
}

func TestAnswersHealth(t *testing.T) {
	h := &fakeHealth{}
	s := withService(t, unexpected(t), func(c *httpapi.Config) { c.Health = h })
	for _, n := range []oauth.Number{oauth.ErrNotReady, oauth.ErrStale} {
		h.refusal.Store(oauth.NewError(n, ""))
		r := send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", "", nil))
		if r.status != http.StatusServiceUnavailable || r.number() != n || r.header.Get("Retry-After") == "" {
			t.Errorf("got %d %s; want 503 with %d and Retry-After", r.status, r.raw, n)
		}
	}
}

func TestAnswersOptionsWithoutCORS(t *testing.T) {
	s := withService(t, unexpected(t))
	for _, path := range []string{"/oauth2/token", "/oauth2/keys", "/.well-known/openid-configuration"} {
		r := send(t, client(t), request(t, http.MethodOptions, s.url+path, "", http.Header{"Origin": {"https://evil.test"}}))
		if r.status != http.StatusNoContent || r.header.Get("Allow") == "" || r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("OPTIONS %s: %d %v", path, r.status, r.header)
		}
	}
}

func TestAnswersPanicWithoutItsValues(t *testing.T) {
	s := withService(t, func(tokenservice.Request, *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		panic("eyJhbGciOi-a-secret")
	})
	r := send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", "", nil))
	if r.status != http.StatusInternalServerError || r.number() != oauth.ErrInternal || r.TraceID == "" {
		t.Errorf("got %d %s", r.status, r.raw)
	}
	e := s.lastEvent(t)
	if cause, ok := e["cause"].(string); !ok || !strings.Contains(cause, "TestAnswersPanic") || e["level"] != "ERROR" || e["trace_id"] != r.TraceID {
		t.Errorf("logged %v; want an error that says where", e)
	}
	if strings.Contains(s.log.String(), "a-secret") {
		t.Error("the panic's value is in the log")
	}
}

func TestLimitsRates(t *testing.T) {
	answer := func(r tokenservice.Request, _ *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		if r.Presented.Assertion != "good" {
			return tokenservice.Answer{}, oauth.NewError(oauth.ErrIdentity, "")
		}
		if e := r.Admit(r.Presented.ClientID); e != nil {
			return tokenservice.Answer{}, e
		}
		return tokenservice.Answer{AccessToken: "x"}, nil
	}
	ask := func(t *testing.T, s *running, body string) reply {
		t.Helper()
		return send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", body, nil))
	}
	statuses := func(t *testing.T, s *running, bodies ...string) (out []int) {
		t.Helper()
		for _, b := range bodies {
			out = append(out, ask(t, s, b).status)
		}
		return out
	}
	t.Run("per peer, before anything costly", func(t *testing.T) {
		s := withService(t, answer, func(c *httpapi.Config) { c.PerPeer = httpapi.Rate{PerSecond: 1, Burst: 2} })
		if got := statuses(t, s, "", "", ""); !slices.Equal(got, []int{401, 401, 429}) {
			t.Errorf("got %v", got)
		}
		if r := ask(t, s, ""); r.Error != "slow_down" || r.header.Get("Retry-After") == "" {
			t.Errorf("got %s %v; want slow_down with Retry-After", r.raw, r.header)
		}
		s.clock.advance(time.Second)
		if got := statuses(t, s, ""); !slices.Equal(got, []int{401}) {
			t.Errorf("a second later, got %v", got)
		}
	})
	t.Run("per client, after it has authenticated", func(t *testing.T) {
		s := withService(t, answer, func(c *httpapi.Config) { c.PerClient = httpapi.Rate{PerSecond: 1, Burst: 1} })
		stranger, good, other := "client_id=a", "client_id=a&client_assertion=good", "client_id=b&client_assertion=good"
		if got := statuses(t, s, stranger, stranger, good, good, other, stranger); !slices.Equal(got, []int{401, 401, 200, 429, 200, 401}) {
			t.Errorf("got %v: a stranger must not use up what is another's", got)
		}
	})
}
