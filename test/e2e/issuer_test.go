//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// dnsServer is the cluster's own, see hack/cluster.
const dnsServer = "10.96.0.10:53"

// client makes one that reaches Services by their names, as a pod does, with the client
// certificate of a Secret, or with none. It makes a new connection for each request.
func (w *world) client(t *testing.T, namespace, secret string) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(w.issuerRoots(t)) || !roots.AppendCertsFromPEM(w.ca) {
		t.Fatal("no roots")
	}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if secret != "" {
		var s corev1.Secret
		if err := w.kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: secret}, &s); err != nil {
			t.Fatal(err)
		}
		certificate, err := tls.X509KeyPair(s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey])
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: config, DialContext: dialService,
	}}
}

// dialService asks the cluster's DNS.
func dialService(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".svc") {
		address = net.JoinHostPort(host+".cluster.local.", port)
	}
	dialer := net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, dnsServer)
	}}}
	return dialer.DialContext(ctx, network, address)
}

// issuerRoots are what Lanyard gives each namespace to verify the issuer by.
func (w *world) issuerRoots(t *testing.T) []byte {
	t.Helper()
	var roots corev1.ConfigMap
	if err := w.kube.Get(t.Context(), client.ObjectKey{Namespace: "orders", Name: "lanyard-ca"}, &roots); err != nil {
		t.Fatal(err)
	}
	return []byte(roots.Data["ca.crt"])
}

// post sends a form to the issuer.
func (w *world) post(t *testing.T, with *http.Client, path string, form url.Values) (status int, answer map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuerURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := with.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%s answers %s: %s", path, response.Status, body)
	}
	return response.StatusCode, answer
}

// active asks the issuer, as the orders API, whether a token is still good (RFC 7662).
func (w *world) active(t *testing.T, token string) bool {
	t.Helper()
	status, answer := w.post(t, w.client(t, "orders", "orders-mtls"), "/oauth2/introspect", url.Values{
		"client_id": {"orders/orders"}, "token": {token},
	})
	active, ok := answer["active"].(bool)
	if status != http.StatusOK || !ok {
		t.Fatalf("introspection answers %d %v", status, answer)
	}
	return active
}

// tokenWith asks for a token for the orders API with an assertion, over a connection with the certificate of
// checkout: with what somebody has who could read all of the sidecar's files.
func (s *shop) tokenWith(t *testing.T, assertion string) (status int, answer map[string]any) {
	t.Helper()
	return s.post(t, s.client(t, s.namespace, "checkout-mtls"), "/oauth2/token", url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
		"resource":              {"api://orders"},
	})
}
