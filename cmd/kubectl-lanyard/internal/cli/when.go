package cli

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// roundFrom is from when on nobody counts seconds.
const roundFrom = 10 * time.Minute

// When says when t is, seen from now: "in 3h", "5m ago"; "never" for no time.
func When(t, now time.Time) string {
	switch d := t.Sub(now); {
	case t.IsZero():
		return "never"
	case d < 0:
		return duration.HumanDuration(-d) + " ago"
	default:
		if d > roundFrom { // what was to last 90 days does so a second later, too
			d = d.Round(time.Minute)
		}
		return "in " + duration.HumanDuration(d)
	}
}

// Lifetime is a duration as people write it: 10m, 1h.
func Lifetime(d time.Duration) string {
	text := d.String()
	for _, zero := range []struct{ with, without string }{{"m0s", "m"}, {"h0m", "h"}} {
		if short, ok := strings.CutSuffix(text, zero.with); ok {
			text = short + zero.without
		}
	}
	return text
}
