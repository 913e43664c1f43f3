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

// Match is a certificate that is pinned to a client, or counts as pinned because a
// subject rule matches it.
type Match struct {
	Thumbprint string
	// Ends is when it stops being one if nothing happens before.
	Ends time.Time
	// Rule is the subject rule that matched; nil for a pin.
	Rule *Rule
}

// LivePin finds the live pin, or else the subject rule, of client c that peer's
// certificate is. certificates are looked up only within the client: a certificate
// that is pinned to another client only is none. Of several pins the one that lasts
// longest is returned.
func LivePin(c *v1alpha1.OAuthClient, certificates []*Certificate, peer Peer, now time.Time) (Match, bool) {
	_, pki, match := find(c, certificates, peer, now)
	return match, pki || !match.Ends.IsZero()
}

// CertificateMethod says by which method of RFC 8705 peer's certificate authenticates
// client c, and false if by none: it must be a live pin, or match a subject rule, and
// the client must list the method. A certificate that was imported (pem)
// authenticates by the self-signed method only, one that a rule matches by the PKI
// method only; one that cert-manager made authenticates by either, for it is both
// issued by a CA and registered itself.
func CertificateMethod(c *v1alpha1.OAuthClient, certificates []*Certificate, peer Peer, now time.Time) (oauth.AuthMethod, Match, bool) {
	allowed := c.Spec.Authentication.Certificate
	if allowed == nil {
		return "", Match{}, false
	}
	registered, pki, match := find(c, certificates, peer, now)
	switch {
	case pki && slices.Contains(allowed.Methods, v1alpha1.MethodTLSClientAuth):
		return oauth.AuthTLSClient, match, true
	case registered && slices.Contains(allowed.Methods, v1alpha1.MethodSelfSignedTLSClientAuth):
		return oauth.AuthSelfSignedTLSClient, match, true
	default:
		return "", Match{}, false
	}
}

// find says whether peer's certificate is registered itself, whether a CA vouches for
// it, and what matched.
func find(c *v1alpha1.OAuthClient, certificates []*Certificate, peer Peer, now time.Time) (registered, pki bool, match Match) {
	if peer.IsZero() || distrusted(c, certificates, peer.Thumbprint) {
		return false, false, Match{}
	}
	for _, cc := range certificates {
		if !cc.of(c) {
			continue
		}
		for i := range cc.Status.Pins {
			pin := &cc.Status.Pins[i]
			if pin.Thumbprint != peer.Thumbprint || !Live(pin, nil, now) {
				continue
			}
			registered = true
			pki = pki || !cc.imported
			if match.Ends.Before(PinEnds(pin)) {
				match = Match{Thumbprint: pin.Thumbprint, Ends: PinEnds(pin)}
			}
		}
	}
	if registered {
		return registered, pki, match
	}
	asked := 0
	for _, cc := range certificates {
		if asked == maxRules {
			break
		}
		if cc.subject == nil || !cc.of(c) || !cc.subject.speaksOf(peer.Chain) {
			continue
		}
		asked++
		if ends, ok := cc.subject.Matches(peer.Chain, now); ok && match.Ends.Before(ends) {
			pki, match = true, Match{Thumbprint: peer.Thumbprint, Ends: ends, Rule: ruleOf(cc)}
		}
	}
	return registered, pki, match
}
