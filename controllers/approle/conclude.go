package approle

import (
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
		GrantedCount:       int32(min(d.granted, 1<<30)),      //nolint:gosec // bounded
		PendingCount:       int32(min(len(d.pending), 1<<30)), //nolint:gosec // bounded
	}
	for _, c := range d.pending[:min(len(d.pending), maxPending)] {
		s.Pending = append(s.Pending, v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name})
	}
	return s
}
