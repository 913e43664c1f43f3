package rules

import (
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// Leeway is how far clocks may disagree.
const Leeway = 30 * time.Second

// Live says whether pin works at now: it is valid (give or take Leeway at its
// beginning), has not retired, and is not distrusted. distrust is the spec.distrust
// of its ClientCertificate.
func Live(pin *v1alpha1.Pin, distrust []v1alpha1.Thumbprint, now time.Time) bool {
	return !now.Add(Leeway).Before(pin.NotBefore.Time) &&
		now.Before(PinEnds(pin)) &&
		!slices.Contains(distrust, v1alpha1.Thumbprint(pin.Thumbprint))
}

// PinEnds is when pin stops working if nothing happens before: its notAfter, or
// its retiresAt.
func PinEnds(pin *v1alpha1.Pin) time.Time {
	if pin.RetiresAt != nil && pin.RetiresAt.Time.Before(pin.NotAfter.Time) {
		return pin.RetiresAt.Time
	}
	return pin.NotAfter.Time
}

// LivePin finds the live pin of client c with the given thumbprint (x5t#S256).
// certificates are looked up only within the client: a certificate that is pinned
// to another client only is none. The pin that lasts longest is returned, nil if
// there is none.
func LivePin(c *v1alpha1.OAuthClient, certificates []*v1alpha1.ClientCertificate, thumbprint string, now time.Time) *v1alpha1.Pin {
	var found *v1alpha1.Pin
	for _, cc := range certificates {
		if cc.Namespace != c.Namespace || cc.Spec.ClientRef.Name != c.Name {
			continue
		}
		// A thumbprint that one ClientCertificate distrusts is dead for the whole
		// client: a stolen key stays stolen under another object's name.
		if slices.Contains(cc.Spec.Distrust, v1alpha1.Thumbprint(thumbprint)) {
			return nil
		}
		for i := range cc.Status.Pins {
			pin := &cc.Status.Pins[i]
			if pin.Thumbprint == thumbprint && Live(pin, nil, now) && (found == nil || PinEnds(found).Before(PinEnds(pin))) {
				found = pin
			}
		}
	}
	return found
}
