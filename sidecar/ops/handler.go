package ops

import (
	"io"
	"net/http"
	"net/netip"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
)

// Config is what the port tells.
type Config struct {
	// Started says why the containers that wait have to wait on; nil: they need not.
	Started func() error
	Metrics *metrics.Registry
}

// New returns the handler: /healthz says that the process runs, /startedz whether the
// app may start, and to the pod itself why not, /metrics the metrics.
func New(cfg Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /startedz", func(w http.ResponseWriter, r *http.Request) {
		err := cfg.Started()
		switch {
		case err == nil:
			say(w, http.StatusOK, "ok\n")
		case !fromPod(r):
			// The cause holds what the issuer said of the client, which is nobody else's affair.
			say(w, http.StatusServiceUnavailable, "not started; the pod's log says why\n")
		default:
			say(w, http.StatusServiceUnavailable, err.Error()+"\n")
		}
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(cfg.Metrics.Page().Bytes()) // the peer may be gone
	})
	return mux
}

// fromPod says whether the peer is a process of the pod: the startup probe is.
func fromPod(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
