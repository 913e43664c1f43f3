package rules

import (
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
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

// CertificateMethod says by which method of RFC 8705 the certificate with the
// given thumbprint authenticates client c, and false if by none: it must be a live
// pin, and the client must list the method. A certificate that was imported (pem)
// authenticates by the self-signed method only; one that cert-manager made
// authenticates by either, for it is both issued by a CA and registered itself.
func CertificateMethod(c *v1alpha1.OAuthClient, certificates []*v1alpha1.ClientCertificate, thumbprint string, now time.Time) (oauth.AuthMethod, bool) {
	allowed := c.Spec.Authentication.Certificate
	if allowed == nil {
		return "", false
	}
	issued := slices.DeleteFunc(slices.Clone(certificates), func(cc *v1alpha1.ClientCertificate) bool { return cc.Spec.PEM != "" })
	switch {
	case LivePin(c, certificates, thumbprint, now) == nil:
		return "", false // not live at all, or distrusted by any of them
	case slices.Contains(allowed.Methods, v1alpha1.MethodTLSClientAuth) && LivePin(c, issued, thumbprint, now) != nil:
		return oauth.AuthTLSClient, true
	case slices.Contains(allowed.Methods, v1alpha1.MethodSelfSignedTLSClientAuth):
		return oauth.AuthSelfSignedTLSClient, true
	default:
		return "", false
	}
}
