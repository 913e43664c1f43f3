//go:build e2e

package ingress

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// token is one of shop/checkout with that role, bound to the caller's certificate, changed.
func (w *world) token(role string, changes ...map[string]any) string {
	w.t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": w.issuer.URL, "sub": "shop/checkout", "client_id": "shop/checkout", "aud": audience, "jti": "id-1", "tid": "shop", "roles": []string{role},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(), "cnf": map[string]string{"x5t#S256": jose.X5TS256(w.caller.Certificate[0])},
	}
	for _, change := range changes {
		maps.Copy(claims, change)
	}
	token, err := w.signer.Sign("at+jwt", claims)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// call is one request to the API.
type call struct {
	method, path, body, token string
	header                    http.Header
	certificate               *tls.Certificate
}

type reply struct {
	status          int
	challenge, body string
}

func (w *world) send(t *testing.T, address string, c call) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), c.method, "https://"+address+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, c.header)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: w.tls(c.certificate), DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header.Get("WWW-Authenticate"), string(body)}
}

func (w *world) tls(certificate *tls.Certificate) *tls.Config {
	config := &tls.Config{RootCAs: w.roots, ServerName: apiName, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return config
}

// story is what every way to the app must do, told on the API's address.
func (w *world) story(t *testing.T, address string) {
	t.Helper()
	good, other := w.token(read), newCertificate(t, "other")
	t.Run("the caller's identity reaches the app, and the token does not", func(t *testing.T) {
		r := w.send(t, address, call{method: "POST", path: "/orders/1?x=a%2Fb", body: "three lanyards", token: w.token(write), certificate: &w.caller})
		if r.status != http.StatusOK || r.body != "POST /orders/1?x=a%2Fb three lanyards" {
			t.Fatalf("got %+v", r)
		}
		w.sees(t, map[string]string{"X-Lanyard-Client-Id": "shop/checkout", "X-Lanyard-Tenant": "shop", "X-Lanyard-Roles": write, "X-Lanyard-Subject": "shop/checkout"})
		if got := w.last().Header.Get("Authorization"); got != "" {
			t.Errorf("the app got %q", got)
		}
	})
	for name, test := range map[string]struct {
		call
		status    int
		challenge string
	}{
		"any role":                     {call{method: "GET", path: "/whoami", token: w.token("None"), certificate: &w.caller}, 200, ""},
		"nobody, where anyone may":     {call{method: "GET", path: "/healthz"}, 200, ""},
		"TestRefuses no token":         {call{method: "GET", path: "/orders", certificate: &w.caller}, 401, "Bearer realm"},
		"TestRefuses no certificate":   {call{method: "GET", path: "/orders", token: good}, 401, "invalid_token"},
		"TestRefuses another's":        {call{method: "GET", path: "/orders", token: good, certificate: &other}, 401, "invalid_token"},
		"TestRefuses another audience": {call{method: "GET", path: "/orders", token: w.token(read, map[string]any{"aud": "api://x"}), certificate: &w.caller}, 401, "invalid_token"},
		"TestRefuses another role":     {call{method: "GET", path: "/orders", token: w.token("None"), certificate: &w.caller}, 403, ""},
		"TestRefuses another method":   {call{method: "DELETE", path: "/orders", token: good, certificate: &w.caller}, 403, ""},
		"TestRefuses what has no rule": {call{method: "GET", path: "/elsewhere", token: good, certificate: &w.caller}, 403, ""},
		"TestRefuses a certificate in headers": {call{method: "GET", path: "/orders", token: good, certificate: &other, header: http.Header{
			"X-Ssl-Client-Cert": {url.PathEscape(pemOf(w.caller.Leaf))}, "Client-Cert": {":" + base64.StdEncoding.EncodeToString(w.caller.Certificate[0]) + ":"},
			"X-Forwarded-Client-Cert": {`Cert="` + url.PathEscape(pemOf(w.caller.Leaf)) + `"`},
		}}, 401, "invalid_token"},
		"TestRefuses one in headers beside none": {call{method: "GET", path: "/orders", token: good, header: http.Header{
			"X-Ssl-Client-Cert": {url.PathEscape(pemOf(w.caller.Leaf))}, "Client-Cert": {":" + base64.StdEncoding.EncodeToString(w.caller.Certificate[0]) + ":"},
		}}, 401, "invalid_token"},
		"TestRefuses another method and path in headers": {call{method: "GET", path: "/orders/admin", token: good, certificate: &w.caller, header: http.Header{
			"X-Original-Uri": {"/orders"}, "X-Original-Method": {"GET"}, "X-Http-Method-Override": {"GET"},
		}}, 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := w.calls()
			r := w.send(t, address, test.call)
			if r.status != test.status || !strings.Contains(r.challenge, test.challenge) {
				t.Errorf("got %+v, want %d %s", r, test.status, test.challenge)
			}
			if called := w.calls() > before; called != (test.status == http.StatusOK) {
				t.Errorf("the app was called: %v", called)
			}
		})
	}
	w.refusesForgedIdentity(t, address)
	w.refusesPathTricks(t, address)
	w.speaksHTTP2(t, address)
	w.refusesResumption(t, address)
}

func (w *world) speaksHTTP2(t *testing.T, address string) {
	t.Helper()
	t.Run("HTTP/2", func(t *testing.T) {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: w.tls(&w.caller), ForceAttemptHTTP2: true, DisableKeepAlives: true}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+address+"/orders/2", strings.NewReader("four"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+w.token(write))
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, _ := io.ReadAll(response.Body); response.ProtoMajor != 2 || string(body) != "PUT /orders/2 four" {
			t.Errorf("got %s %s %s", response.Proto, response.Status, body)
		}
	})
}

// refusesResumption makes two connections; the second would repeat no handshake if it could.
func (w *world) refusesResumption(t *testing.T, address string) {
	t.Helper()
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run("TestRefuses to resume a session of "+name, func(t *testing.T) {
			config := w.tls(&w.caller)
			config.MaxVersion, config.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
			for range 2 {
				conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", apiName)
				if _, err := io.ReadAll(conn); err != nil {
					t.Error(err)
				}
				if conn.(*tls.Conn).ConnectionState().DidResume {
					t.Error("the session was resumed")
				}
				_ = conn.Close()
			}
		})
	}
}

// sees compares what tells the app of the caller.
func (w *world) sees(t *testing.T, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for name, values := range w.last().Header {
		if strings.Contains(strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name)), "lanyard") {
			got[name] = strings.Join(values, "|")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func (w *world) refusesForgedIdentity(t *testing.T, address string) {
	t.Helper()
	forged := http.Header{
		"X-Lanyard-Client-Id": {"shop/admin", "shop/root"}, "x-lanyard-roles": {"Orders.Admin"}, "X_Lanyard_Tenant": {"x"}, "x_lanyard_client_id": {"shop/admin"},
		"X.Lanyard.Subject": {"x"}, "Connection": {"X-Lanyard-Client-Id, X-Lanyard-Roles"}, "X-Rewrite-Url": {"/orders/admin"}, "X-Http-Method-Override": {"DELETE"},
	}
	t.Run("TestRefuses a forged identity", func(t *testing.T) {
		if r := w.send(t, address, call{method: "GET", path: "/orders", token: w.token(read), certificate: &w.caller, header: forged}); r.status != http.StatusOK {
			t.Fatalf("got %+v", r)
		}
		w.sees(t, map[string]string{"X-Lanyard-Client-Id": "shop/checkout", "X-Lanyard-Tenant": "shop", "X-Lanyard-Roles": read, "X-Lanyard-Subject": "shop/checkout"})
		if got := w.last().Header.Get("X-Rewrite-Url") + w.last().Header.Get("X-Http-Method-Override"); got != "" {
			t.Errorf("the app was told of another path or method: %s", got)
		}
	})
	t.Run("TestRefuses a forged identity where anyone may", func(t *testing.T) {
		if r := w.send(t, address, call{method: "GET", path: "/healthz", header: forged}); r.status != http.StatusOK {
			t.Fatalf("got %+v", r)
		}
		w.sees(t, map[string]string{})
	})
}

// refusesPathTricks sends paths as they are, which no library does.
func (w *world) refusesPathTricks(t *testing.T, address string) {
	t.Helper()
	token := w.token(read)
	for _, path := range []string{
		"/orders/admin", "/ORDERS/ADMIN", "/orders/%61dmin", "/orders//admin", "/orders/./admin", "/orders/x/../admin", "/orders/%2e%2e/orders/admin", "/orders%2fadmin",
		"/orders%252fadmin", `/orders\admin`, "/orders/..;/orders/admin", "/healthz/../orders/admin", "/healthz/%2e%2e/orders/admin", "//orders/admin", "/orders/admin%00",
		"/orders/admin;x", "/lanyard",
	} {
		t.Run("TestRefuses the path "+strings.ReplaceAll(path, "/", "|"), func(t *testing.T) {
			before := w.calls()
			conn, err := (&tls.Dialer{Config: w.tls(&w.caller)}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", path, apiName, token)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode < 400 || response.StatusCode >= 500 || w.calls() > before {
				t.Errorf("got %s, the app saw %d calls", response.Status, w.calls()-before)
			}
		})
	}
}
