package index

import "time"

// maxSleep is how long a controller trusts its timers: a machine that was asleep,
// or whose clock was set, is noticed after that.
const maxSleep = time.Hour

// Wake is when to look again because time alone changes a verdict: at the first of
// ends that is still to come. Zero: never.
func Wake(now time.Time, ends ...time.Time) time.Duration {
	var wake time.Duration
	for _, end := range ends {
		if end.After(now) && (wake == 0 || end.Sub(now) < wake) {
			wake = min(end.Sub(now), maxSleep)
		}
	}
	return wake
}
