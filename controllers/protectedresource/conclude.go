package protectedresource

import (
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// conclude says what the status becomes.
func conclude(f facts, verdict rules.Verdict, now time.Time) v1alpha1.ProtectedResourceStatus {
	return v1alpha1.ProtectedResourceStatus{
		ObservedGeneration: f.resource.Generation,
		Conditions:         status.Ready(f.resource.Status.Conditions, verdict, f.resource.Generation, now),
	}
}
