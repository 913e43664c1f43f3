//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/test/e2e/app"
)

// upstream is where the app calls the orders API through its sidecar.
const upstream = "http://127.0.0.1:9470/orders"

// caller is the control port of an app in a pod; package app says what it is asked.
type caller struct{ url string }

func callerOf(pod *corev1.Pod) caller { return caller{"http://" + pod.Status.PodIP + ":8080"} }

// report says what came of the app's calls so far. An error means that the app does not answer
// (any more).
func (c caller) report(ctx context.Context) (app.Report, error) {
	var report app.Report
	return report, c.ask(ctx, http.MethodGet, "/report", nil, &report)
}

func (c caller) mustReport(t *testing.T) app.Report {
	t.Helper()
	report, err := c.report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// reset has the app begin counting anew.
func (c caller) reset(t *testing.T) {
	t.Helper()
	if err := c.ask(t.Context(), http.MethodPost, "/reset", nil, nil); err != nil {
		t.Fatal(err)
	}
}

// call has the app make a single call.
func (c caller) call(t *testing.T, call app.Call) app.Answer {
	t.Helper()
	var answer app.Answer
	if err := c.ask(t.Context(), http.MethodPost, "/call", call, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// awaitSuccesses waits for n successful calls since the start or the last reset.
func (c caller) awaitSuccesses(t *testing.T, n int) app.Report {
	t.Helper()
	var report app.Report
	eventually(t, patience, func() (err error) {
		if report, err = c.report(t.Context()); err == nil && report.Successes < n {
			err = fmt.Errorf("%d successes; failures: %v", report.Successes, report.Causes)
		}
		return err
	})
	return report
}

func (c caller) ask(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return fmt.Errorf("%s %s: %s %s", method, path, response.Status, said)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(out)
}

// eventually calls check until it answers nil.
func eventually(t *testing.T, atMost time.Duration, check func() error) {
	t.Helper()
	for begun := time.Now(); ; {
		err := check()
		if err == nil {
			return
		}
		if waited := time.Since(begun); waited > atMost {
			t.Fatalf("still after %s: %v", waited.Round(time.Second), err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// figure tells something that the test measured: make e2e prints it also of tests that pass.
func figure(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Attr("figure", strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
}
