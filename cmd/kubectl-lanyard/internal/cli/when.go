package cli

import (
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// When says when t is, seen from now: "in 3h", "5m ago"; "never" for no time.
func When(t, now time.Time) string {
	switch d := t.Sub(now); {
	case t.IsZero():
		return "never"
	case d < 0:
		return duration.HumanDuration(-d) + " ago"
	default:
		return "in " + duration.HumanDuration(d)
	}
}
