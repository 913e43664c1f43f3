package app

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// api answers 200, or 503 while down.
func api(t *testing.T, down *atomic.Bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "closed for lunch", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("X-Authorization", r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func start(t *testing.T, options Options) *App {
	t.Helper()
	caller, err := NewCaller("")
	if err != nil {
		t.Fatal(err)
	}
	return New(options, caller, time.Now())
}

func TestEndsAfterEnoughSuccesses(t *testing.T) {
	var down atomic.Bool
	a := start(t, Options{Call: Call{URL: api(t, &down)}, PerSecond: 200, Successes: 5})
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	report := a.Report()
	if report.Successes < 5 || report.Failures != 0 || report.FirstSuccess.Before(report.Begun) || report.Latency.Max < report.Latency.P50 {
		t.Errorf("report: %+v", report)
	}
}

func TestCountsFailuresByTheirTextAndGoesOnWhenToldToEnd(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	a := start(t, Options{Call: Call{URL: api(t, &down)}, PerSecond: 200, Drain: 10 * time.Second, Successes: 3})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	until(t, func() bool { return a.Report().Failures > maxFailed })
	end()
	until(t, func() bool { return a.Report().Ending })
	down.Store(false)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	report := a.Report()
	if diff := cmp.Diff(map[string]int{"503 closed for lunch": report.Failures}, report.Causes); diff != "" {
		t.Error(diff)
	}
	if report.SuccessesEnding < 3 || len(report.Failed) != maxFailed {
		t.Errorf("report: %+v", report)
	}
}

func TestTheControlPortPausesResetsAndMakesSingleCalls(t *testing.T) {
	var down atomic.Bool
	url := api(t, &down)
	a := start(t, Options{Call: Call{URL: url}, PerSecond: 200})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	control := httptest.NewServer(a.Handler())
	defer control.Close()
	post := func(path string, body any, out any) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Post(control.URL+path, "application/json", bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode/100 != 2 {
			t.Fatalf("%s: %s", path, response.Status)
		}
		if out != nil {
			if err := json.NewDecoder(response.Body).Decode(out); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, func() bool { return a.Report().Successes > 0 })
	post("/rate?per-second=0", nil, nil)
	var answer Answer
	post("/call", Call{URL: url, Token: "abc"}, &answer)
	if answer.Status != http.StatusOK || answer.Refusal() != "" || answer.Header.Get("X-Authorization") != "Bearer abc" {
		t.Errorf("answer: %+v", answer)
	}
	post("/call", Call{URL: "http://127.0.0.1:1"}, &answer)
	if answer.Error == "" || answer.Refusal() != answer.Error {
		t.Errorf("a call to nobody: %+v", answer)
	}
	first := a.Report().FirstSuccess
	until(t, func() bool {
		post("/reset", nil, nil)
		return a.Report().Successes == 0
	})
	if got := a.Report().FirstSuccess; !got.Equal(first) {
		t.Errorf("the first success was at %s, and after a reset at %s", first, got)
	}
	end()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("it does not come")
		}
	}
}
