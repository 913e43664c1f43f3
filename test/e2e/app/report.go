package app

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Report is what came of the calls so far, since the start or the last reset.
type Report struct {
	// Begun is the app's first instruction.
	Begun time.Time `json:"begun"`
	// FirstSuccess is when the first successful answer was there; a reset does not change it.
	FirstSuccess time.Time `json:"firstSuccess,omitzero"`
	// LastSuccess is when the last of the calls that succeeded was begun: when it was due.
	LastSuccess time.Time `json:"lastSuccess,omitzero"`
	// Ending says that the app was told to end and still calls.
	Ending bool `json:"ending,omitempty"`

	Successes int `json:"successes"`
	Failures  int `json:"failures"`
	// SuccessesEnding are those of the successes that were begun after the app was told to end.
	SuccessesEnding int `json:"successesEnding,omitempty"`
	// Causes counts failures by their text.
	Causes map[string]int `json:"causes,omitempty"`
	// Failed are the first failures, and the last one.
	Failed []Failure `json:"failed,omitempty"`
	// Latency is that of successful calls, from when they were due.
	Latency Latency `json:"latency"`
}

// Failure is a call that failed.
type Failure struct {
	Begun time.Time     `json:"begun"`
	Took  time.Duration `json:"took"`
	Cause string        `json:"cause"`
}

// Latency holds percentiles.
type Latency struct {
	P50 time.Duration `json:"p50"`
	P90 time.Duration `json:"p90"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

const (
	// maxFailed is how many failures are told one by one.
	maxFailed = 20
	// maxCauses bounds the texts that are told apart.
	maxCauses   = 50
	otherCauses = "(other causes)"
)

// counts makes the report.
type counts struct {
	mu        sync.Mutex
	report    Report
	latencies []time.Duration
}

// count notes a call, which was due at begun, and returns how many have succeeded.
func (c *counts) count(begun, ended time.Time, cause string) (successes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.report
	if cause == "" {
		r.Successes++
		if r.Ending {
			r.SuccessesEnding++
		}
		if r.FirstSuccess.IsZero() {
			r.FirstSuccess = ended
		}
		if begun.After(r.LastSuccess) {
			r.LastSuccess = begun
		}
		c.latencies = append(c.latencies, ended.Sub(begun))
		return r.Successes
	}
	r.Failures++
	if r.Causes == nil {
		r.Causes = map[string]int{}
	}
	failure := Failure{Begun: begun, Took: ended.Sub(begun), Cause: cause}
	if len(r.Failed) < maxFailed {
		r.Failed = append(r.Failed, failure)
	} else {
		r.Failed[maxFailed-1] = failure
	}
	if _, known := r.Causes[cause]; !known && len(r.Causes) >= maxCauses {
		cause = otherCauses
	}
	r.Causes[cause]++
	return r.Successes
}

func (c *counts) ending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Ending = true
}

// reset begins anew.
func (c *counts) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report = Report{Begun: c.report.Begun, FirstSuccess: c.report.FirstSuccess, Ending: c.report.Ending}
	c.latencies = nil
}

// current is the report as it stands.
func (c *counts) current() Report {
	c.mu.Lock()
	report, latencies := c.report, slices.Clone(c.latencies)
	report.Failed = slices.Clone(report.Failed)
	report.Causes = make(map[string]int, len(c.report.Causes))
	maps.Copy(report.Causes, c.report.Causes)
	c.mu.Unlock()
	report.Latency = percentiles(latencies)
	return report
}

// percentiles sorts what it is given.
func percentiles(latencies []time.Duration) Latency {
	if len(latencies) == 0 {
		return Latency{}
	}
	slices.Sort(latencies)
	at := func(percent int) time.Duration { return latencies[(len(latencies)-1)*percent/100] }
	return Latency{P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}
