package tokens

import "time"

const (
	// firstBackoff is the wait after the first failure; it doubles up to maxBackoff. After
	// an outage every sidecar must be fresh within 30 s: the longest wait and the longest
	// attempt together stay below that.
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 20 * time.Second
	// maxRetryAfter bounds what the issuer, or what stands before it, may ask for.
	maxRetryAfter = time.Minute
	// leastRefresh bounds how often a token is asked for that hardly lives.
	leastRefresh = 5 * time.Second
)

// refreshAt is when the successor of a token is asked for: after 75 to 85 % of its life,
// so that those who started together do not ask together for ever. random is in [0, 1).
func refreshAt(t *Token, random float64) time.Time {
	life := t.ExpiresAt.Sub(t.IssuedAt)
	return t.IssuedAt.Add(max(leastRefresh, time.Duration(float64(life)*(0.75+0.1*random))))
}

// backoff is how long to wait after so many failures in a row, one or more: between half
// of the exponential wait and all of it, so that those who were turned away together do
// not come again together. It is no shorter than what the issuer asked for.
func backoff(failures int, retryAfter time.Duration, random float64) time.Duration {
	wait := maxBackoff
	if doubled := failures - 1; doubled < 16 {
		wait = min(firstBackoff<<doubled, maxBackoff)
	}
	spread := time.Duration(random * float64(wait) / 2)
	return max(wait/2, min(retryAfter, maxRetryAfter)) + spread
}
