package egress_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample is the value of the first sample of a metric that is not zero, and its line.
func sample(h *house, name string) (value float64, line string) {
	for line := range strings.Lines(string(h.metrics.Page().Bytes())) {
		if labels, number, ok := strings.Cut(line, "} "); ok && strings.HasPrefix(labels, name+"{") {
			if value, err := strconv.ParseFloat(strings.TrimSpace(number), 64); err == nil && value != 0 {
				return value, line
			}
		}
	}
	return 0, ""
}

// retries is how many were counted.
func retries(h *house) float64 {
	n, _ := sample(h, "lanyard_sidecar_upstream_retries_total")
	return n
}

// resultOf is what the one call was counted as.
func resultOf(h *house) string {
	_, line := sample(h, "lanyard_sidecar_upstream_requests_total")
	_, rest, _ := strings.Cut(line, `result="`)
	result, _, _ := strings.Cut(rest, `"`)
	return result
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(5 * time.Millisecond); !done(); {
		select {
		case <-deadline:
			t.Fatalf("waited a minute in vain for %s", what)
		case <-tick.C:
		}
	}
}
