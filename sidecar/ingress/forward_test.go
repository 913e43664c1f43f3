package ingress_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/sidecar/ingress"
	"github.com/lanyard-dev/lanyard/test/testcert"
)

const (
	read  = "Orders.Read.All"
	write = "Orders.Write.All"
)

func newListener(t testing.TB) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lanyardHeaders are those of the app's request that tell of the caller.
func lanyardHeaders(r *http.Request) map[string][]string {
	all := map[string][]string{}
	for name, values := range r.Header {
		if strings.Contains(strings.ToLower(name), "lanyard") {
			all[name] = values
		}
	}
	return all
}

var checkoutReads = map[string][]string{
	"X-Lanyard-Client-Id": {"shop/checkout"}, "X-Lanyard-Tenant": {"shop"}, "X-Lanyard-Roles": {"Orders.Read.All,Other"}, "X-Lanyard-Subject": {"shop/checkout"},
}

func TestTellsTheAppWhoCalls(t *testing.T) {
	h := newHouse(t)
	c := testcert.New(t, "checkout")
	token := h.token(read, &c)
	r := h.call(http.MethodGet, "/orders/%61%20b?x=1;2", token, http.Header{"X-Request-Id": {"mine-1"}, "Accept": {"text/plain"}}, c)
	if r.status != http.StatusOK || r.body != "GET /orders/a%20b?x=1;2" {
		t.Fatalf("got %+v", r)
	}
	if diff := cmp.Diff([]string{"mine-1"}, r.header.Values("X-Request-Id")); diff != "" {
		t.Error(diff)
	}
	seen := h.last()
	if diff := cmp.Diff(checkoutReads, lanyardHeaders(seen)); diff != "" {
		t.Error(diff)
	}
	if seen.Header.Get("Authorization") != "" {
		t.Error("the app got the token")
	}
	want := http.Header{"Accept": {"text/plain"}, "X-Request-Id": {"mine-1"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {strings.TrimPrefix(h.url, "https://")}}
	for name, values := range want {
		if diff := cmp.Diff(values, seen.Header[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if seen.Host != strings.TrimPrefix(h.url, "https://") {
		t.Errorf("the app was called as %s", seen.Host)
	}
	if text := h.log.String(); !strings.Contains(text, `"client_id":"shop/checkout"`) || !strings.Contains(text, `"rule":"/orders"`) ||
		strings.Contains(text, token) || strings.Contains(text, strings.Split(token, ".")[2]) {
		t.Errorf("the log should name client and rule, and no token: %s", text)
	}
}

func TestPassesTheTokenOnWhereItIsAsked(t *testing.T) {
	h := newHouse(t, func(c *ingress.ForwardConfig) { c.KeepToken = true })
	c := testcert.New(t, "checkout")
	token := h.token(read, &c)
	h.call(http.MethodGet, "/orders", token, nil, c)
	if got := h.last().Header.Get("Authorization"); got != "Bearer "+token {
		t.Errorf("the app got %q", got)
	}
}

func TestJudgesByTokenBindingAndRule(t *testing.T) {
	h := newHouse(t)
	c, other := testcert.New(t, "checkout"), testcert.New(t, "other")
	good := h.token(read, &c)
	for name, test := range map[string]struct {
		method, path, token string
		certificates        []tls.Certificate
		status              int
		code, challenge     string
	}{
		"a role that the rule names":             {"GET", "/orders", good, []tls.Certificate{c}, 200, "", ""},
		"a path below it":                        {"GET", "/orders/1/", good, []tls.Certificate{c}, 200, "", ""},
		"another of its roles":                   {"GET", "/orders", h.token(write, &c), []tls.Certificate{c}, 200, "", ""},
		"any role where none is asked for":       {"GET", "/whoami", h.token("None", &c), []tls.Certificate{c}, 200, "", ""},
		"nobody where anyone may":                {"GET", "/healthz", "", nil, 200, "", ""},
		"a bad token where anyone may":           {"GET", "/healthz", "x.y.z", nil, 200, "", ""},
		"no token":                               {"GET", "/orders", "", []tls.Certificate{c}, 401, "", "Bearer realm"},
		"no token and no rule":                   {"GET", "/elsewhere", "", nil, 401, "", "Bearer realm"},
		"no token where any will do":             {"GET", "/whoami", "", nil, 401, "", "Bearer realm"},
		"another role":                           {"GET", "/orders", h.token("Orders.Delete.All", &c), []tls.Certificate{c}, 403, "insufficient_scope", `error="insufficient_scope"`},
		"a role for another method":              {"POST", "/orders", good, []tls.Certificate{c}, 403, "insufficient_scope", "Orders.Write.All"},
		"a role for the path above":              {"GET", "/orders/admin", good, []tls.Certificate{c}, 403, "insufficient_scope", "Orders.Admin"},
		"a method without a rule":                {"DELETE", "/orders", good, []tls.Certificate{c}, 403, "insufficient_scope", "no rule"},
		"a path without a rule":                  {"GET", "/elsewhere", good, []tls.Certificate{c}, 403, "insufficient_scope", "no rule"},
		"a token that is none":                   {"GET", "/orders", "x", []tls.Certificate{c}, 401, "invalid_token", `error="invalid_token"`},
		"a bound token without a certificate":    {"GET", "/orders", good, nil, 401, "invalid_token", "mutual TLS"},
		"a bound token with another certificate": {"GET", "/orders", good, []tls.Certificate{other}, 401, "invalid_token", "another certificate"},
		"a token that is bound to nothing":       {"GET", "/orders", h.token(read, nil), []tls.Certificate{c}, 401, "invalid_token", "bound tokens only"},
		"a token for another audience":           {"GET", "/orders", h.token(read, &c, claims{"aud": "api://invoices"}), []tls.Certificate{c}, 401, "invalid_token", "not for this resource"},
		"a token for two audiences":              {"GET", "/orders", h.token(read, &c, claims{"aud": []string{"api://orders", "api://x"}}), []tls.Certificate{c}, 401, "invalid_token", "not for this resource"},
		"a token of another issuer":              {"GET", "/orders", h.token(read, &c, claims{"iss": "https://other.example"}), []tls.Certificate{c}, 401, "invalid_token", "issuer"},
		"a token that has expired":               {"GET", "/orders", h.token(read, &c, claims{"exp": 1_700_000_000, "iat": 1_699_999_990, "nbf": 1_699_999_990}), []tls.Certificate{c}, 401, "invalid_token", "expired"},
		"a token of another signature":           {"GET", "/orders", good[:len(good)-8] + "AAAAAAAA", []tls.Certificate{c}, 401, "invalid_token", "signature"},
		"a DPoP token as Bearer":                 {"GET", "/orders", h.token(read, nil, claims{"cnf": claims{"jkt": "x"}}), []tls.Certificate{c}, 401, "invalid_token", "DPoP"},
	} {
		t.Run(name, func(t *testing.T) {
			before := h.calls()
			r := h.call(test.method, test.path, test.token, nil, test.certificates...)
			if r.status != test.status || r.code() != test.code || !strings.Contains(r.challenge(), test.challenge) {
				t.Errorf("got %d %s %s, want %d %s %s", r.status, r.challenge(), r.body, test.status, test.code, test.challenge)
			}
			if called := h.calls() > before; called != (test.status == http.StatusOK) {
				t.Errorf("the app was called: %v", called)
			}
		})
	}
}

func TestRefusesCertificateInAHeader(t *testing.T) {
	ca := testcert.New(t, "ca")
	c := testcert.New(t, "checkout")
	for name, change := range map[string]func(*ingress.ForwardConfig){
		"where there are no proxies": func(*ingress.ForwardConfig) {},
		"from who is no proxy":       func(f *ingress.ForwardConfig) { f.Peers, f.Proxy = peersOf(ca), ingress.Nginx },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, change)
			for kind, header := range certificateHeaders(t, c) {
				for _, shown := range [][]tls.Certificate{nil, {testcert.New(t, "proxy.example")}, {testcert.SignedBy(t, ca, "stranger.example")}} {
					if r := h.call(http.MethodGet, "/orders", h.token(read, &c), header, shown...); r.status != http.StatusUnauthorized || r.code() != "invalid_token" {
						t.Errorf("%s: got %d %s", kind, r.status, r.body)
					}
				}
			}
			if h.calls() > 0 {
				t.Error("the app was called")
			}
		})
	}
}

func TestRefusesForgedIdentity(t *testing.T) {
	h := newHouse(t)
	c := testcert.New(t, "checkout")
	forged := http.Header{
		"X-Lanyard-Client-Id": {"shop/admin", "shop/root"}, "x-lanyard-roles": {"Orders.Admin"}, "X_LANYARD_CLIENT_ID": {"shop/admin"}, "x_lanyard_roles": {"Orders.Admin"},
		"X-Lanyard_Tenant": {"x"}, "X.Lanyard.Subject": {"x"}, "X-Lanyard-Anything": {"x"}, "X-Lanyard": {"x"}, "X~lanyard-client-id": {"x"},
		"Connection": {"X-Lanyard-Client-Id, X-Lanyard-Roles, close"}, "Client-Cert": {"x"}, "X-Forwarded-Client-Cert": {"x"}, "X_Ssl_Client_Cert": {"x"}, "X-Ssl-Cert": {"x"}, "Ssl-Client-Cert": {"x"}, "X-Client-Cert": {"x"}, "X-Arr-Clientcert": {"x"},
		"X-Original-Url": {"/orders/admin"}, "X-Rewrite-Url": {"/orders/admin"}, "X-Http-Method-Override": {"DELETE"}, "X_Http_Method": {"DELETE"},
		"X-Forwarded-For": {"192.0.2.1"}, "X_Forwarded_For": {"192.0.2.1"}, "Forwarded": {"for=192.0.2.1"}, "Proxy": {"http://attacker.example"}, "Dpop": {"x"},
		"X-Kept": {"yes"},
	}
	for name, path := range map[string]string{"of a caller": "/orders", "where anyone may": "/healthz", "over HTTP/2": "/orders/2"} {
		t.Run(name, func(t *testing.T) {
			forged := forged.Clone()
			if h.http1 = path != "/orders/2"; !h.http1 {
				delete(forged, "Connection") // which HTTP/2 does not have
			}
			if r := h.call(http.MethodGet, path, h.token(read, &c), forged, c); r.status != http.StatusOK {
				t.Fatalf("got %+v", r)
			}
			want := checkoutReads
			if path == "/healthz" {
				want = map[string][]string{}
			}
			if diff := cmp.Diff(want, lanyardHeaders(h.last())); diff != "" {
				t.Error(diff)
			}
			var names []string
			for name := range h.last().Header {
				if !strings.HasPrefix(name, "X-Lanyard-") {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			if diff := cmp.Diff([]string{"Accept-Encoding", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Kept", "X-Request-Id"}, names); diff != "" {
				t.Error(diff)
			}
			if got := h.last().Header.Get("X-Forwarded-For"); got != "127.0.0.1" {
				t.Errorf("the app was told that %s called", got)
			}
		})
	}
}

// raw sends bytes as they are, and returns the status and the connection.
func (h *house) raw(t *testing.T, c tls.Certificate, text string) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: h.roots, ServerName: "localhost", Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}}).DialContext(t.Context(), "tcp", strings.TrimPrefix(h.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return response, conn, reader
}

// The path that is judged is the one that the app gets: what could be read as another is refused.
func TestRefusesPathsThatGoAroundRules(t *testing.T) {
	h := newHouse(t)
	c := testcert.New(t, "checkout")
	token := h.token(read, &c)
	for path, status := range map[string]int{
		"/orders/1": 200, "http://other.example/orders/1": 200, "/ORDERS/ADMIN": 403, "/orders/%61dmin": 403, "/orders/Adm%69n/": 403, "http://h/orders/admin": 403,
		"/orders//admin": 400, "/orders/./admin": 400, "/orders/x/../admin": 400, "/orders/%2e%2e/orders/admin": 400, "/orders%2fadmin": 400, "/orders%2Fadmin": 400,
		"/orders%252fadmin": 400, `/orders\admin`: 400, "/orders%5cadmin": 400, "/orders;/admin": 400, "/orders/..;/orders/admin": 400, "/orders/admin%00": 400,
		"/healthz/..%2forders/admin": 400, "//orders/admin": 400, "/orders/admin%3fx": 400, "/orders/admin%23": 400,
		// With a character that has to be encoded and is not, net/url writes the path anew.
		`/orders%2fadmin"`: 400, "/orders%2fadmin|": 400, `/orders/x%2f..%2fadmin^`: 400, `/healthz%2f"`: 400,
	} {
		response, conn, _ := h.raw(t, c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+token+"\r\nConnection: close\r\n\r\n")
		if response.StatusCode != status {
			body, _ := io.ReadAll(response.Body)
			t.Errorf("%s: got %d %s, want %d", path, response.StatusCode, body, status)
		}
		conn.Close()
	}
	for _, seen := range h.seen {
		if seen.RequestURI != "/orders/1" {
			t.Errorf("the app saw %s", seen.RequestURI)
		}
	}
	for _, line := range []string{"CONNECT /orders/1", "CONNECT localhost:80", "TRACE /orders/1", "OPTIONS *", "get /orders/1"} {
		response, conn, _ := h.raw(t, c, line+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+token+"\r\nConnection: close\r\n\r\n")
		if line != "OPTIONS *" && response.StatusCode < 400 { // which net/http answers itself
			t.Errorf("%s: got %d", line, response.StatusCode)
		}
		conn.Close()
	}
	if h.calls() != 2 {
		t.Errorf("the app was called %d times", h.calls())
	}
}

func TestRefusesToTunnelPastTheRules(t *testing.T) {
	c := testcert.New(t, "checkout")
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(w, "no upgrade")
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, buffered, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, "echo "+line)
	}))
	defer app.Close()
	h := newHouse(t, func(f *ingress.ForwardConfig) { f.App, _ = url.Parse(app.URL) })
	head := func(upgrade string) string {
		return "GET /orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + h.token(read, &c) + "\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nUpgrade: " + upgrade + "\r\n\r\n"
	}
	for _, upgrade := range []string{"h2c", "websocket, h2c", "websocket\r\nUpgrade: h2c", "TLS/1.0"} {
		response, _, _ := h.raw(t, c, head(upgrade))
		if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || string(body) != "no upgrade" {
			t.Errorf("%q: got %d %s", upgrade, response.StatusCode, body)
		}
	}
	response, conn, reader := h.raw(t, c, head("WebSocket"))
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %d for a WebSocket", response.StatusCode)
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := reader.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestSaysWhenTheAppOrTheIssuerIsAway(t *testing.T) {
	c := testcert.New(t, "checkout")
	h := newHouse(t)
	h.app.Close()
	if r := h.call(http.MethodGet, "/orders", h.token(read, &c), nil, c); r.status != http.StatusBadGateway || r.code() != "app_unreachable" || r.header.Get("X-Request-Id") != "made-here" {
		t.Errorf("got %+v", r)
	}
	h = newHouse(t)
	h.issuer.Close()
	if r := h.call(http.MethodGet, "/orders", h.token(read, &c), nil, c); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("got %+v", r)
	}
}

func TestRefusesAppThatIsNotOnLoopback(t *testing.T) {
	for text, ok := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://127.1.2.3:80/": true, "http://[::1]:8080": true, "http://localhost:8080": true, "h2c://127.0.0.1:9090": true,
		"http://10.0.0.1:8080": false, "http://orders:8080": false, "http://0.0.0.0:8080": false, "http://127.0.0.1.nip.example:80": false, "https://127.0.0.1:8443": false,
		"http://127.0.0.1": false, "127.0.0.1:8080": false, "http://127.0.0.1:8080/v1": false, "http://127.0.0.1:8080?x": false, "http://a@127.0.0.1:8080": false, "http://127.0.0.1:8080#x": false, "": false,
	} {
		if _, err := ingress.ParseApp(text); (err == nil) != ok {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
