package check

import (
	"context"
	"fmt"
	"strings"
)

// Verdict is how a check came out.
type Verdict string

// The verdicts.
const (
	// OK: it is as it should be.
	OK Verdict = "ok"
	// Warn: it works, and somebody should know.
	Warn Verdict = "warn"
	// Fail: something does not work.
	Fail Verdict = "fail"
	// No: the answer is no, and that is neither good nor bad.
	No Verdict = "no"
	// Unseen: it could not be looked at, and may be well or not.
	Unseen Verdict = "unseen"
)

// Result is what a check found.
type Result struct {
	Verdict Verdict `json:"verdict"`
	// Found says what was found.
	Found string `json:"found"`
	// Hint says what to do, where something is to be done.
	Hint string `json:"hint,omitempty"`
}

func ok(format string, args ...any) Result {
	return Result{Verdict: OK, Found: fmt.Sprintf(format, args...)}
}

func warn(hint, format string, args ...any) Result {
	return Result{Warn, fmt.Sprintf(format, args...), hint}
}

func fail(hint, format string, args ...any) Result {
	return Result{Fail, fmt.Sprintf(format, args...), hint}
}

func notSeen(format string, args ...any) Result {
	return Result{Verdict: Unseen, Found: fmt.Sprintf(format, args...)}
}

// worst is the one of several that matters most: the first of the worst.
func worst(all ...Result) Result {
	rank := map[Verdict]int{No: 0, OK: 0, Unseen: 1, Warn: 2, Fail: 3}
	result := all[0]
	for _, r := range all[1:] {
		if rank[r.Verdict] > rank[result.Verdict] {
			result = r
		}
	}
	return result
}

// check is one thing to look at.
type check struct {
	name string
	run  func(ctx context.Context) Result
}

// section is what belongs together.
type section struct {
	name   string
	checks []check
}

// Report is what all checks found.
type Report struct {
	Healthy  bool      `json:"healthy"`
	Sections []Section `json:"sections"`
}

// Section is what the checks of one section found.
type Section struct {
	Name   string  `json:"name"`
	Checks []Check `json:"checks"`
}

// Check is what one check found.
type Check struct {
	Name string `json:"name"`
	Result
}

// silence has what could not be told be not looked at: where the API server does not
// answer, that is said once.
func (r Report) silence() {
	for _, s := range r.Sections {
		for i := range s.Checks {
			if c := &s.Checks[i]; c.Verdict == Fail && strings.HasPrefix(c.Found, untold) {
				c.Result = notSeen(noServer)
			}
		}
	}
}

// count counts the checks that came out so.
func (r Report) count(v Verdict) int {
	n := 0
	for _, s := range r.Sections {
		for _, c := range s.Checks {
			if c.Verdict == v {
				n++
			}
		}
	}
	return n
}
