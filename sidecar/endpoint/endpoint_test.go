package endpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/sidecar/endpoint"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

const (
	orders, billing = "api://orders", "api://billing"
	host            = "127.0.0.1:9466"
	form            = "application/x-www-form-urlencoded"
)

// source holds tokens that are named after their resources, and has errors.
type source struct {
	listed []string
	errs   map[string]error
}

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Token implements endpoint.Source.
func (s source) Token(_ context.Context, resource string) (*tokens.Token, error) {
	if err := s.errs[resource]; err != nil {
		return nil, err
	}
	if !slices.Contains(s.listed, resource) {
		return nil, &tokens.NotListed{Resource: resource, Listed: s.listed}
	}
	return &tokens.Token{
		Value: "SECRET " + resource, Type: "Bearer", Resource: resource, Scope: resource + "/Read",
		ExpiresAt: now.Add(90500 * time.Millisecond), Thumbprint: "thumb",
	}, nil
}

// call sends a request to an endpoint with these resources, and returns the answer.
func call(t *testing.T, s source, r *http.Request) (*http.Response, map[string]any) {
	t.Helper()
	var counted []string
	h := endpoint.New(endpoint.Config{
		Source: s, Resources: s.listed, Port: "9466", Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Count: func(name, outcome string) { counted = append(counted, name+" "+outcome) },
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	resp := w.Result()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "application/json" || len(counted) != 1 {
		t.Errorf("headers %v, counted %v", resp.Header, counted)
	}
	if resp.StatusCode != http.StatusOK && strings.Contains(string(text), "SECRET") {
		t.Errorf("the answer %d holds the token", resp.StatusCode)
	}
	return resp, body
}

func get(query string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://"+host+"/token?"+query, http.NoBody)
	r.Header.Set("Metadata", "true")
	return r
}

func post(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://"+host+"/oauth2/token", strings.NewReader(body))
	r.Header.Set("Content-Type", form)
	return r
}

func TestTheTokenAndWhatItIsBoundTo(t *testing.T) {
	want := map[string]any{
		"access_token": "SECRET " + orders, "token_type": "Bearer", "expires_in": 90.0, "expires_on": float64(now.Unix() + 90), "resource": orders,
		"scope": orders + "/Read", "cnf": map[string]any{"x5t#S256": "thumb"},
	}
	for name, r := range map[string]*http.Request{"named": get("resource=api://orders"), "escaped": get("resource=api%3A%2F%2Forders")} {
		resp, body := call(t, source{listed: []string{billing, orders}}, r)
		if diff := cmp.Diff(want, body); diff != "" || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %s", name, resp.Status, diff)
		}
	}
	if _, body := call(t, source{listed: []string{orders}}, get("")); body["resource"] != orders {
		t.Errorf("the only resource need not be named: %v", body)
	}
}

func TestAStandardTokenEndpoint(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"by scope":                post("grant_type=client_credentials&scope=api%3A%2F%2Forders%2F.default"),
		"by resource":             post("grant_type=client_credentials&resource=api://orders"),
		"by both":                 post("grant_type=client_credentials&resource=api://orders&scope=api://orders/.default+"),
		"with credentials inside": post("grant_type=client_credentials&resource=api://orders&client_id=a&client_secret=b"),
		"with an assertion":       post("grant_type=client_credentials&resource=api://orders&client_assertion=a&client_assertion_type=b"),
		"as Oracle writes it":     post("grant_type=tls_client_auth&resource=api://orders"),
		"with Basic": func() *http.Request {
			r := post("grant_type=client_credentials&resource=api://orders")
			r.SetBasicAuth("unused", "unused")
			return r
		}(),
		"with a charset": func() *http.Request {
			r := post("grant_type=client_credentials&resource=api://orders")
			r.Header.Set("Content-Type", form+"; charset=utf-8")
			return r
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := call(t, source{listed: []string{orders, billing}}, r)
			want := map[string]any{"access_token": "SECRET " + orders, "token_type": "Bearer", "expires_in": 90.0, "scope": orders + "/Read"}
			if diff := cmp.Diff(want, body); diff != "" || resp.StatusCode != http.StatusOK {
				t.Errorf("%s %s", resp.Status, diff)
			}
		})
	}
}

func TestEveryLoopbackNameIsTheHost(t *testing.T) {
	for _, host := range []string{"127.0.0.1:9466", "localhost:9466", "LOCALHOST:9466", "[::1]:9466"} {
		r := get("")
		r.Host = host
		if resp, body := call(t, source{listed: []string{orders}}, r); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v", host, body)
		}
	}
}

// TestRefusesServerSideRequestForgery: what a program of the pod sends for somebody else.
func TestRefusesServerSideRequestForgery(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = []string{value} }
	}
	for name, edit := range map[string]func(*http.Request){
		"another Host":          func(r *http.Request) { r.Host = "rebound.example:9466" },
		"a Host without a port": func(r *http.Request) { r.Host = "127.0.0.1" },
		"another port":          func(r *http.Request) { r.Host = "127.0.0.1:80" },
		"a Host like ours":      func(r *http.Request) { r.Host = "127.0.0.1:9466.example" },
		"no Host":               func(r *http.Request) { r.Host = "" },
		"an Origin":             header("Origin", "http://127.0.0.1:9466"),
		"a null Origin":         header("Origin", "null"),
		"X-Forwarded-For":       header("X-Forwarded-For", "192.0.2.1"),
		"X-Forwarded-Host":      header("X-Forwarded-Host", host),
		"underscores":           header("X_Forwarded_For", "192.0.2.1"),
		"X-Real-Ip":             header("X-Real-Ip", "192.0.2.1"),
		"Forwarded":             header("Forwarded", "for=192.0.2.1"),
		"Via":                   header("Via", "1.1 proxy"),
	} {
		for _, r := range []*http.Request{get("resource=api://orders"), post("grant_type=client_credentials&resource=api://orders")} {
			t.Run(name+" "+r.Method, func(t *testing.T) {
				edit(r)
				resp, body := call(t, source{listed: []string{orders}}, r)
				if resp.StatusCode != http.StatusForbidden || body["error"] != "invalid_request" {
					t.Errorf("%s %v", resp.Status, body)
				}
			})
		}
	}
}

func TestRefusesTheMetadataEndpointWithoutItsHeader(t *testing.T) {
	for _, value := range []string{"", "1", "false", "true, true"} {
		r := get("resource=api://orders")
		r.Header.Set("Metadata", value)
		if resp, body := call(t, source{listed: []string{orders}}, r); resp.StatusCode != http.StatusBadRequest || body["error"] != "invalid_request" {
			t.Errorf("%q: %s %v", value, resp.Status, body)
		}
	}
}

func TestRefusesWhatWasNotListed(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"GET":  get("resource=api://other"),
		"POST": post("grant_type=client_credentials&scope=api://other/.default"),
	} {
		resp, body := call(t, source{listed: []string{orders, billing}}, r)
		if resp.StatusCode != http.StatusBadRequest || body["error"] != "invalid_target" || !strings.Contains(body["error_description"].(string), billing) {
			t.Errorf("%s: %s %v", name, resp.Status, body)
		}
	}
}

func TestRefusesRequestsThatMeanSomethingElse(t *testing.T) {
	const ok = "grant_type=client_credentials&"
	with := func(r *http.Request, name, value string) *http.Request {
		r.Header.Set(name, value)
		return r
	}
	for name, test := range map[string]struct {
		r      *http.Request
		status int
		code   oauth.Code
		says   string
	}{
		"two resources":            {get("resource=a&resource=b"), 400, "invalid_request", "more than once"},
		"no resource of several":   {get(""), 400, "invalid_request", "api://orders, api://billing"},
		"scope at /token":          {get("scope=api://orders/.default"), 400, "invalid_request", "resource=<identifier>"},
		"POST to /token":           {httptest.NewRequest(http.MethodPost, "http://"+host+"/token", http.NoBody), 405, "invalid_request", "GET"},
		"GET of the OAuth one":     {httptest.NewRequest(http.MethodGet, "http://"+host+"/oauth2/token", http.NoBody), 405, "invalid_request", "POST"},
		"another path":             {httptest.NewRequest(http.MethodGet, "http://"+host+"/oauth2/keys", http.NoBody), 404, "invalid_request", "POST /oauth2/token"},
		"JSON":                     {with(post("{}"), "Content-Type", "application/json"), 415, "invalid_request", form},
		"no content type":          {with(post(ok), "Content-Type", ""), 415, "invalid_request", form},
		"a broken form":            {post("%"), 400, "invalid_request", "not a valid form"},
		"a body that is too long":  {post(ok + "x=" + strings.Repeat("x", 64<<10)), 413, "invalid_request", "64 KiB"},
		"no grant type":            {post("resource=api://orders"), 400, "invalid_request", "grant_type is missing"},
		"another grant type":       {post("grant_type=password"), 400, "unsupported_grant_type", "client_credentials"},
		"a parameter twice":        {post(ok + "grant_type=client_credentials"), 400, "invalid_request", "more than once"},
		"fewer roles":              {post(ok + "scope=api://orders/Orders.Read.All"), 400, "invalid_scope", "/.default"},
		"a scope of nothing":       {post(ok + "scope=/.default"), 400, "invalid_scope", "/.default"},
		"openid":                   {post(ok + "scope=openid+api://orders/.default"), 400, "invalid_scope", "/.default"},
		"two resources in a scope": {post(ok + "scope=api://orders/.default+api://billing/.default"), 400, "invalid_scope", "one resource"},
		"scope against resource":   {post(ok + "scope=api://orders/.default&resource=api://billing"), 400, "invalid_scope", "one resource"},
		"no scope":                 {post(ok), 400, "invalid_scope", "several"},
		"a DPoP proof":             {with(post(ok+"resource=api://orders"), "DPoP", "e30.e30.x"), 400, "invalid_request", "DPoP"},
		"a DPoP token":             {post(ok + "resource=api://orders&token_type=dpop"), 400, "invalid_request", "DPoP"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := call(t, source{listed: []string{orders, billing}}, test.r)
			text, _ := body["error_description"].(string)
			if resp.StatusCode != test.status || body["error"] != string(test.code) || !strings.Contains(text, test.says) {
				t.Errorf("%s %v", resp.Status, body)
			}
		})
	}
}

func TestWhatTheIssuerAnsweredIsPassedOn(t *testing.T) {
	refused := &tokens.Refused{Resource: orders, Code: oauth.InvalidClient, Number: 20001, Description: `not "accepted"`, TraceID: "t-1"}
	for name, test := range map[string]struct {
		err    error
		status int
		want   map[string]any
	}{
		"a refusal": {refused, 400, map[string]any{
			"error": "invalid_client", "error_codes": []any{20001.0}, "trace_id": "t-1",
			"error_description": "the issuer refuses a token for api://orders with number 20001 and trace_id t-1: invalid_client: not 'accepted'",
		}},
		"an outage": {&tokens.Unavailable{Resource: orders, Cause: errors.New("connection refused")}, 503, map[string]any{
			"error": "temporarily_unavailable", "error_description": "there is no token for api://orders: connection refused",
		}},
		"an issuer that is busy": {&tokens.Unavailable{Resource: orders, Cause: &tokens.Refused{Resource: orders, Code: oauth.SlowDown, Description: "x"}}, 503, map[string]any{
			"error": "temporarily_unavailable", "error_description": "there is no token for api://orders: the issuer answers: slow_down: x",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := call(t, source{listed: []string{orders}, errs: map[string]error{orders: test.err}}, get(""))
			if diff := cmp.Diff(test.want, body); diff != "" || resp.StatusCode != test.status {
				t.Errorf("%s %s", resp.Status, diff)
			}
			if (resp.Header.Get("Retry-After") != "") != (test.status == 503) {
				t.Errorf("Retry-After is %q", resp.Header.Get("Retry-After"))
			}
		})
	}
}

func FuzzForm(f *testing.F) {
	f.Add("grant_type=client_credentials&scope=api://orders/.default")
	f.Add("grant_type=client_credentials&scope=api://orders/.default+x&resource=%zz")
	f.Fuzz(func(t *testing.T, body string) {
		resp, answer := call(t, source{listed: []string{orders}}, post(body))
		if token, ok := answer["access_token"]; ok != (resp.StatusCode == http.StatusOK) || ok && token != "SECRET "+orders {
			t.Errorf("%s %v", resp.Status, answer)
		}
	})
}
