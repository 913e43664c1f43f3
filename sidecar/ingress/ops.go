package ingress

import (
	"crypto/tls"
	"io"
	"net/http"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
)

// NewOps returns the handler of the plain port: /healthz says that the process runs, /readyz
// whether it should be sent requests, /metrics the metrics.
func NewOps(ready func() bool, registry *metrics.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			say(w, http.StatusServiceUnavailable, "about to stop\n")
			return
		}
		say(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(registry.Page().Bytes()) // the peer may be gone
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// Expiry tells when the certificate of the moment ends.
func Expiry(certificate func() *tls.Certificate) func(*metrics.Page) {
	return func(p *metrics.Page) {
		const name = "lanyard_ingress_certificate_expiry_timestamp_seconds"
		p.Family(name, "gauge", "When the ingress' own certificate ends.")
		p.Sample(name, float64(certificate().Leaf.NotAfter.Unix()))
	}
}
