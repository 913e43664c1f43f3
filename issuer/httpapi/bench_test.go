package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
)

// One federated request over keep-alive TLS, both sides on this machine.
func BenchmarkFederatedOverTLS(b *testing.B) {
	h := newHouse(b, func(c *httpapi.Config) { c.PerPeer = httpapi.Rate{PerSecond: 1e9, Burst: 1e9}; c.PerClient = c.PerPeer })
	body := federatedForm(sign(h.claims())).Encode()
	c := client(b, checkoutCert())
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, h.url+"/oauth2/token", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := c.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Fatalf("got %d", resp.StatusCode)
		}
	}
}
