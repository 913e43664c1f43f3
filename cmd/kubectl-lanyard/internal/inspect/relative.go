package inspect

import (
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// relative is a time as seen from now.
func relative(t, now time.Time) string {
	if t.After(now) {
		return "in " + duration.HumanDuration(t.Sub(now))
	}
	return duration.HumanDuration(now.Sub(t)) + " ago"
}
