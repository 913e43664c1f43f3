package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// apiServer answers with status, or hangs up if that is 0, and says how to reach it.
func apiServer(t *testing.T, status *atomic.Int32) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := int(status.Load())
		if code == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"major":"1","minor":"36"}`)
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func TestWaitsForTheAPIServerAliveAndNotReady(t *testing.T) {
	var status atomic.Int32 // it hangs up
	config, health := apiServer(t, &status), testenv.Address(t, t.TempDir(), "health")
	var log bytes.Buffer
	came := make(chan error, 1)
	go func() {
		came <- awaitAPIServer(t.Context(), config, health, slog.New(slog.NewTextHandler(&log, nil)))
	}()
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		testenv.Eventually(t, func(ctx context.Context) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+health+path, http.NoBody)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err == nil && resp.Body.Close() == nil && resp.StatusCode != want {
				err = fmt.Errorf("%s: %s; want %d", path, resp.Status, want)
			}
			return err
		})
	}
	status.Store(http.StatusServiceUnavailable) // it starts
	select {
	case err := <-came:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(2 * awaitEvery):
	}
	status.Store(http.StatusOK)
	if err := <-came; err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp", health); err != nil {
		t.Errorf("the health port is not free for what comes next: %v", err)
	} else {
		_ = l.Close()
	}
	if said := log.String(); strings.Count(said, "waiting for the API server") != 1 || !strings.Contains(said, "the API server answers") {
		t.Errorf("it says:\n%s", said)
	}
}

func TestDoesNotWaitForWhatWaitingDoesNotHeal(t *testing.T) {
	for name, code := range map[string]int32{"it answers": http.StatusOK, "it refuses": http.StatusForbidden} {
		t.Run(name, func(t *testing.T) {
			var status atomic.Int32
			status.Store(code)
			if err := awaitAPIServer(t.Context(), apiServer(t, &status), "not an address", slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStopsWaitingWhenToldTo(t *testing.T) {
	var status atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := awaitAPIServer(ctx, apiServer(t, &status), "0", slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("an orderly end is no error: %v", err)
	}
}
