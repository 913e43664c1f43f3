package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxOpsConnections is many times what kubelet and Prometheus open.
const maxOpsConnections = 64

// NewOps returns the handler of the second, plain port: /healthz says that the
// process runs, /readyz whether it should be sent requests, /metrics the metrics.
func NewOps(health Health, metrics prometheus.Gatherer, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		e := health.Ready()
		if e == nil {
			say(w, http.StatusOK, "ok\n")
			return
		}
		text := e.Description() + "\n"
		if e.Cause != nil {
			text = e.Description() + ": " + e.Cause.Error() + "\n"
		}
		say(w, http.StatusServiceUnavailable, text)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	}))
	return mux
}

// NewOpsServer returns the server of that port. Who may connect to it is for the
// network to say; whoever can is bounded as on the public one.
func NewOpsServer(handler http.Handler, now func() time.Time, log *slog.Logger) *http.Server {
	const timeout = 5 * time.Second
	c := newConnections(now, maxConnectionAge, maxOpsConnections, Rate{})
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: timeout,
		ReadTimeout:       timeout,
		WriteTimeout:      2 * timeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    8 << 10,
		ConnContext:       c.opened,
		ConnState:         c.changed,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
