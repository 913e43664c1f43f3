package ops

import (
	"io"
	"net/http"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
)

// Config is what the port tells.
type Config struct {
	// Started says why the containers that wait have to wait on; nil: they need not.
	Started func() error
	Metrics *metrics.Registry
}

// New returns the handler: /healthz says that the process runs, /startedz whether the
// app may start, /metrics the metrics.
func New(cfg Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /startedz", func(w http.ResponseWriter, _ *http.Request) {
		if err := cfg.Started(); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		say(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(cfg.Metrics.Page().Bytes()) // the peer may be gone
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
