package approleassignment

import (
	"math"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

// conclude says what the status becomes.
func conclude(f facts, d decision, now time.Time) v1alpha1.AppRoleAssignmentStatus {
	a := f.assignment
	if d.verdict.OK && d.covered == 0 {
		// Right so far as it goes, and perhaps a name that is misspelt.
		d.verdict.Message += "; no client that it covers asks for the role yet"
	}
	return v1alpha1.AppRoleAssignmentStatus{
		ObservedGeneration: a.Generation,
		Conditions:         status.Ready(a.Status.Conditions, d.verdict, a.Generation, now),
		ClientCount:        new(int32(min(d.covered, math.MaxInt32))), //nolint:gosec // bounded
	}
}

// end is when the decision ends by itself; zero: never.
func (f facts) end() time.Time {
	if e := f.assignment.Spec.ExpiresAt; e != nil {
		return e.Time
	}
	return time.Time{}
}
