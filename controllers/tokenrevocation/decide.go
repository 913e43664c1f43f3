package tokenrevocation

import (
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// end is when nobody accepts any of the tokens any more: an issuer or a verifier
// whose clock is behind may do so for the leeway after they have expired.
func end(r *v1alpha1.TokenRevocation) time.Time {
	return r.Spec.ExpiresAt.Add(rules.Leeway)
}
