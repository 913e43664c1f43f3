package egress_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
	"github.com/lanyard-dev/lanyard/test/testcert"
)

func TestRefusesForeignRequests(t *testing.T) {
	h := newHouse(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was called") })
	host := strings.TrimPrefix(h.url, "http://")
	for name, header := range map[string]http.Header{
		"another host":                   {"Host": {"attacker.example"}},
		"another host with the port":     {"Host": {"attacker.example:9470"}},
		"a host that begins like ours":   {"Host": {"127.0.0.1.attacker.example"}},
		"a host that ends like ours":     {"Host": {"attacker.localhost"}},
		"the upstream's host":            {"Host": {"orders.orders.svc:8443"}},
		"another address":                {"Host": {"0.0.0.0:9470"}},
		"another origin":                 {"Origin": {"https://attacker.example"}},
		"no origin":                      {"Origin": {"null"}},
		"the origin of another port":     {"Origin": {"http://127.0.0.1"}},
		"two origins":                    {"Origin": {"http://" + host, "https://attacker.example"}},
		"a page's request without one":   {"Sec-Fetch-Site": {"cross-site"}},
		"a browser's address bar, even":  {"Sec-Fetch-Site": {"none"}},
		"a page that was loaded from us": {"Sec-Fetch-Site": {"same-origin"}},
	} {
		t.Run(name, func(t *testing.T) {
			if r := h.call(http.MethodGet, "/orders", http.NoBody, header); r.status != http.StatusForbidden || !strings.Contains(r.body, `"foreign_request"`) {
				t.Errorf("got %+v", r)
			}
		})
	}
	t.Run("to be a forward proxy", func(t *testing.T) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n\r\nGET http://attacker.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		reader := bufio.NewReader(conn)
		for range 2 {
			response, err := http.ReadResponse(reader, nil)
			if err != nil || response.StatusCode != http.StatusForbidden {
				t.Fatalf("got %v, %v", response, err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
		}
	})
	if h.source.requests != 0 {
		t.Errorf("%d tokens were taken", h.source.requests)
	}
	for _, ours := range []string{"localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:9470", "[::1]"} {
		if r := newAccepting(t).call(http.MethodGet, "/", http.NoBody, http.Header{"Host": {ours}}); r.status != http.StatusOK {
			t.Errorf("%s: got %+v", ours, r)
		}
	}
}

func newAccepting(t *testing.T) *house {
	t.Helper()
	h := newHouse(t, func(http.ResponseWriter, *http.Request) {})
	h.source.token = bound("token-1", testcert.New(t, "checkout"))
	return h
}

func TestRefusesToFollowRedirects(t *testing.T) {
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("called with %v", r.Header) }))
	defer elsewhere.Close()
	h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	h.source.token = bound("token-1", testcert.New(t, "checkout"))
	if r := h.call(http.MethodGet, "/", http.NoBody, nil); r.status != http.StatusTemporaryRedirect || r.header.Get("Location") != elsewhere.URL {
		t.Errorf("got %+v", r)
	}
}

func TestRefusesAnUpstreamsEndlessHeaders(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/2": true, "HTTP/1.1": false} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) {
				for i := range 512 {
					w.Header().Add(fmt.Sprintf("X-%d", i), strings.Repeat("x", 4<<10))
				}
			}, func(s *httptest.Server) { s.EnableHTTP2 = http2 })
			h.source.token = bound("token-1", testcert.New(t, "checkout"))
			if r := h.call(http.MethodGet, "/", http.NoBody, nil); r.status != http.StatusBadGateway || !strings.Contains(r.body, `"upstream_unreachable"`) {
				t.Errorf("got %d with %d headers", r.status, len(r.header))
			}
		})
	}
}

func TestSaysWhyACallFailed(t *testing.T) {
	free := func(t *testing.T) string {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "https://" + l.Addr().String()
	}
	for name, test := range map[string]struct {
		prepare func(*house)
		status  int
		want    []string
		result  string
	}{
		"the issuer refuses": {func(h *house) {
			h.source.err = &tokens.Refused{Code: "invalid_client", Description: "the client is suspended"}
		}, 502, []string{"token_refused", "suspended"}, "no_token"},
		"the issuer is away": {func(h *house) {
			h.source.err = &tokens.Unavailable{Resource: resource, Cause: errors.New("the issuer does not answer")}
		}, 503, []string{"token_unavailable", "does not answer"}, "no_token"},
		"the issuer is in trouble": {func(h *house) {
			h.source.err = &tokens.Unavailable{
				Resource: resource, RetryAfter: 1500 * time.Millisecond,
				Cause: &tokens.Refused{Resource: resource, Code: "temporarily_unavailable", Description: "what it knows is too old"},
			}
		}, 503, []string{"token_unavailable", "there is no token for api://orders: the issuer answers: temporarily_unavailable: what it knows is too old"}, "no_token"},
		"no token came in time": {func(h *house) {
			h.source.err = &tokens.Unavailable{Resource: resource, Cause: context.DeadlineExceeded}
		}, 504, []string{"token_unavailable"}, "no_token"},
		"nobody listens":               {func(h *house) { h.serve2(free(h.t)) }, 502, []string{"upstream_unreachable", "refused"}, "unreachable"},
		"signed by somebody else":      {func(h *house) { h.trust(testcert.New(h.t, "another CA").Leaf) }, 502, []string{"upstream_unreachable", "the key ca.crt of ConfigMap orders-ca, the upstream's caConfigMap, lacks the root"}, "unreachable"},
		"the roots are not there":      {func(h *house) { h.trust() }, 502, []string{"upstream_unreachable", "ca.crt has no certificate"}, "unreachable"},
		"the certificate is another's": {func(h *house) { h.serve2(strings.Replace(h.upstream.URL, "127.0.0.1", "localhost", 1)) }, 502, []string{"upstream_unreachable", "localhost"}, "unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(http.ResponseWriter, *http.Request) { t.Error("the upstream was called") })
			h.source.token = bound("token-1", testcert.New(t, "checkout"))
			test.prepare(h)
			r := h.call(http.MethodGet, "/", http.NoBody, nil)
			if r.status != test.status || r.header.Get("Content-Type") != "application/json" {
				t.Errorf("got %+v, want %d", r, test.status)
			}
			for _, part := range test.want {
				if !strings.Contains(r.body, part) {
					t.Errorf("got %s, without %s", r.body, part)
				}
			}
			if (r.header.Get("Retry-After") != "") != (test.status == http.StatusServiceUnavailable) {
				t.Errorf("Retry-After is %q", r.header.Get("Retry-After"))
			}
			if got := resultOf(h); got != test.result {
				t.Errorf("counted as %s", got)
			}
			h.call(http.MethodGet, "/", http.NoBody, nil)
			if n := strings.Count(h.log.String(), "a call could not be passed on"); n != 1 {
				t.Errorf("two failures within a minute were logged %d times", n)
			}
			if strings.Contains(h.log.String(), "token-1") || strings.Contains(r.body, "token-1") {
				t.Error("the token was told")
			}
		})
	}
}

func TestSaysThatAnUpstreamDoesNotAnswer(t *testing.T) {
	t.Parallel() // it takes as long as a handshake may
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // nobody accepts; the kernel does
	h := newAccepting(t)
	h.serve2("https://" + l.Addr().String())
	if r := h.call(http.MethodGet, "/", http.NoBody, nil); r.status != http.StatusGatewayTimeout || !strings.Contains(r.body, `"upstream_timeout"`) {
		t.Errorf("got %+v", r)
	}
	if got := resultOf(h); got != "timeout" {
		t.Errorf("counted as %s", got)
	}
}

func TestReadsRootsAgain(t *testing.T) {
	h := newAccepting(t)
	good := h.upstream.Certificate()
	status := func() int { return h.call(http.MethodGet, "/", http.NoBody, nil).status }
	if got := status(); got != http.StatusOK {
		t.Fatalf("got %d", got)
	}
	h.trust(testcert.New(t, "another CA").Leaf)
	h.pass(4 * time.Second)
	if got := status(); got != http.StatusOK {
		t.Errorf("got %d before the file is looked at again", got)
	}
	h.pass(2 * time.Second)
	if got := status(); got != http.StatusBadGateway {
		t.Errorf("got %d; the connection outlived the trust in its certificate", got)
	}
	h.trust(good)
	h.pass(6 * time.Second)
	if got := status(); got != http.StatusOK {
		t.Errorf("got %d with the right authority again", got)
	}
	h.trust() // an empty file
	h.pass(6 * time.Second)
	if got := status(); got != http.StatusOK {
		t.Errorf("got %d; what was read before should stay in use", got)
	}
}

// serve2 replaces the proxy by one to another URL.
func (h *house) serve2(target string) {
	u, err := url.Parse(target)
	if err != nil {
		h.t.Fatal(err)
	}
	h.metrics = &metrics.Registry{}
	h.serve(u.String(), strings.TrimSuffix(h.caFile, "/orders-ca/ca.crt"))
}
