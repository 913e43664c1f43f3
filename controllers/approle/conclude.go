package approle

import (
	"math"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

// maxPending bounds the list of those who wait: strangers who ask must not make the
// owner's object grow.
const maxPending = 50

// conclude says what the status becomes.
func conclude(f facts, d decision, now time.Time) v1alpha1.AppRoleStatus {
	s := v1alpha1.AppRoleStatus{
		ObservedGeneration: f.Role.Generation,
		Conditions:         status.Ready(f.Role.Status.Conditions, d.verdict, f.Role.Generation, now),
		GrantedCount:       new(count(d.granted)),
		PendingCount:       new(count(len(d.pending))),
	}
	for _, c := range d.pending[:min(len(d.pending), maxPending)] {
		s.Pending = append(s.Pending, v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name})
	}
	return s
}

func count(n int) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // bounded
