package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// awaitEvery is how often the API server is looked for.
const awaitEvery = time.Second

// awaitAPIServer returns when the API server answers, or ctx has ended. A controller that ended instead
// would be started again less and less often, and be away for minutes after the API server's return. It is alive
// meanwhile, and not ready: listen is where it says so.
func awaitAPIServer(ctx context.Context, config *rest.Config, listen string, log *slog.Logger) error {
	impatient := rest.CopyConfig(config)
	impatient.Timeout = 5 * time.Second
	d, err := discovery.NewDiscoveryClientForConfig(impatient)
	if err != nil {
		return err
	}
	_, err = d.ServerVersion()
	if answers(err) {
		return nil
	}
	log.Warn("waiting for the API server", "cause", err)
	stop, err := serveHealth(ctx, listen)
	if err != nil {
		return err
	}
	defer stop()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := d.ServerVersion(); answers(err) {
			log.Info("the API server answers")
			return nil
		}
	}
}

// answers says whether there is an API server, whatever it says: what is wrong with a permission does not
// get better by waiting.
func answers(err error) bool {
	said, ok := errors.AsType[*apierrors.StatusError](err)
	return err == nil || ok && said.Status().Code < http.StatusInternalServerError
}

// serveHealth serves /healthz, and a /readyz that says what is missing, until stop is called.
func serveHealth(ctx context.Context, listen string) (stop func(), err error) {
	if listen == "0" {
		return func() {}, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("--health-listen=%s: %w", listen, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "waiting for the API server", http.StatusServiceUnavailable)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // it ends with stop
	return func() { _ = server.Close() }, nil
}
