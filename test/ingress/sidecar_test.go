//go:build e2e

package ingress

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// grant is the issuer's token endpoint, for the caller's certificate. Its first token is one that
// no API accepts.
func (w *world) grant(rw http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 || !r.TLS.PeerCertificates[0].Equal(w.caller.Leaf) {
		w.t.Error("a token was asked for without the caller's certificate")
	}
	w.mu.Lock()
	w.granted++
	first := w.granted == 1
	w.mu.Unlock()
	token := w.token(write)
	if first {
		token = w.token(write, map[string]any{"aud": "api://elsewhere"})
	}
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 60, "scope": audience + "/.default"})
}

// Both halves together: plain HTTP into the caller's sidecar, mutual TLS between them, plain HTTP
// out of the API's ingress.
func TestSidecarCallsIngress(t *testing.T) {
	w := newWorld(t)
	address, port := free(t), free(t)
	p := w.ingress("--listen="+address, "--metrics-listen="+free(t), "--tls-cert="+w.path("tls.crt"), "--tls-key="+w.path("tls.key"), "--forward="+w.app.URL)
	w.listens(p, address)
	if err := os.MkdirAll(w.path("orders-ca"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("orders-ca/ca.crt", pemOf(w.api))
	w.write("caller.crt", pemOf(w.caller.Leaf))
	w.write("caller.key", keyOf(t, w.caller))
	_, number, _ := net.SplitHostPort(port)
	w.write("lanyard.yaml", "upstreams:\n- {port: "+number+", url: https://"+address+", resource: "+audience+", caConfigMap: orders-ca}\n")
	path, err := sidecar()
	if err != nil {
		t.Fatal(err)
	}
	s := w.start(path, "--issuer="+w.issuer.URL, "--client-id=shop/checkout", "--cert="+w.path("caller.crt"), "--key="+w.path("caller.key"), "--ca="+w.path("issuer-ca.crt"),
		"--config="+w.path("lanyard.yaml"), "--directory=", "--listen="+free(t), "--metrics-listen="+free(t), "--upstream-ca-directory="+w.dir)
	w.listens(s, port)
	for _, body := range []string{"refused once, and sent again", "accepted"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+port+"/orders", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || string(text) != "POST /orders "+body {
			t.Fatalf("got %s %s", response.Status, text)
		}
	}
	w.sees(t, map[string]string{"X-Lanyard-Client-Id": "shop/checkout", "X-Lanyard-Tenant": "shop", "X-Lanyard-Roles": write, "X-Lanyard-Subject": "shop/checkout"})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.granted != 2 || len(w.seen) != 2 {
		t.Errorf("%d tokens were asked for, and the app was called %d times", w.granted, len(w.seen))
	}
}
