package clientcertificate

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// maxPins is the schema's limit.
const maxPins = 16

// defaultOverlap is the schema's default.
const defaultOverlap = 15 * time.Minute

// keepPins returns the pins that follow from those of before and from what the
// source proves now. A pin that is no longer proved stays: cert-manager deletes
// CertificateRequests when a renewal begins, while their certificates are in use.
func keepPins(o *observation, s sightings) []v1alpha1.Pin {
	pins := slices.Clone(o.object.Status.Pins)
	gone := func(p v1alpha1.Pin) bool {
		return !o.now.Before(rules.PinEnds(&p)) || distrusted(o.object, p.Thumbprint)
	}
	pins = slices.DeleteFunc(pins, gone)

	retire := func(p *v1alpha1.Pin) {
		p.State = v1alpha1.PinPrevious
		if p.RetiresAt == nil {
			at := metav1.NewTime(o.now.Add(overlap(o.object)).UTC().Truncate(time.Second))
			p.RetiresAt = &at
		}
	}
	for i := range pins {
		if pins[i].State == v1alpha1.PinCurrent && s.disproves(&pins[i]) {
			retire(&pins[i])
		}
	}
	if s.matching != nil {
		// Those of an earlier source were replaced by the rule.
		for i := range pins {
			retire(&pins[i])
		}
	}
	current := currentOf(o, s, pins)
	if current != nil {
		for i := range pins {
			follows := pins[i].State == v1alpha1.PinNext && s.revision > 0 && pins[i].Revision == s.revision+1
			if pins[i].Thumbprint != current.Thumbprint && !follows {
				retire(&pins[i])
			}
		}
		if !gone(*current) {
			pins = put(pins, *current)
		}
	}
	if s.next != nil && (current == nil || current.Thumbprint != s.next.thumbprint) {
		for i := range pins {
			if pins[i].State == v1alpha1.PinNext && pins[i].Thumbprint != s.next.thumbprint {
				retire(&pins[i])
			}
		}
		if next := s.next.pin(v1alpha1.PinNext, s.next.revision); !gone(next) {
			pins = put(pins, next)
		}
	}
	return limited(pins)
}

// currentOf returns the pin that is current: the one that the source proves, or,
// where its CertificateRequest is gone, the one that was pinned for the revision.
func currentOf(o *observation, s sightings, pins []v1alpha1.Pin) *v1alpha1.Pin {
	if s.current != nil {
		pin := s.current.pin(v1alpha1.PinCurrent, s.current.revision)
		return &pin
	}
	if i := pinOfRevision(o, s, pins); i >= 0 {
		pin := pins[i]
		pin.State = v1alpha1.PinCurrent
		return &pin
	}
	return nil
}

// pinOfRevision finds the pin of the Certificate's revision, -1 if there is none.
// Revisions count anew in every Certificate, so that the end of the certificate
// must agree too: it stands in the Certificate's status.
func pinOfRevision(o *observation, s sightings, pins []v1alpha1.Pin) int {
	if s.revision == 0 || o.certificate == nil {
		return -1
	}
	ends := o.certificate.Status.NotAfter
	return slices.IndexFunc(pins, func(p v1alpha1.Pin) bool {
		return p.Revision == s.revision && ends != nil && p.NotAfter.Equal(ends) && !s.disproves(&p)
	})
}

// disproves says whether pin cannot be the certificate of the revision that it was
// pinned for: cert-manager asked for one with another key.
func (s sightings) disproves(pin *v1alpha1.Pin) bool {
	if s.asked == nil || pin.Revision != s.revision {
		return false
	}
	l, err := parsePEM(pin.Certificate)
	return err == nil && !l.holds(s.asked)
}

// put replaces the pin of the same certificate, or adds pin. When it retires, if that
// was decided once, stays: what makes a replaced certificate the current one again is
// the Certificate's status, which others may write. spec.pem is different: there
// the owner says it.
func put(pins []v1alpha1.Pin, pin v1alpha1.Pin) []v1alpha1.Pin {
	if i := slices.IndexFunc(pins, func(p v1alpha1.Pin) bool { return p.Thumbprint == pin.Thumbprint }); i >= 0 {
		if pin.Revision > 0 {
			pin.RetiresAt = pins[i].RetiresAt
		}
		pins[i] = pin
		return pins
	}
	return append(pins, pin)
}

// limited orders pins for reading, and drops the replaced ones that retire first
// where there are too many.
func limited(pins []v1alpha1.Pin) []v1alpha1.Pin {
	rank := map[v1alpha1.PinState]int{v1alpha1.PinCurrent: 0, v1alpha1.PinNext: 1, v1alpha1.PinPrevious: 2}
	slices.SortFunc(pins, func(a, b v1alpha1.Pin) int {
		return cmp.Or(
			cmp.Compare(rank[a.State], rank[b.State]),
			rules.PinEnds(&b).Compare(rules.PinEnds(&a)),
			cmp.Compare(b.Revision, a.Revision),
			cmp.Compare(a.Thumbprint, b.Thumbprint),
		)
	})
	return pins[:min(len(pins), maxPins)]
}

func distrusted(c *v1alpha1.ClientCertificate, thumbprint string) bool {
	return slices.Contains(c.Spec.Distrust, v1alpha1.Thumbprint(thumbprint))
}

func overlap(c *v1alpha1.ClientCertificate) time.Duration {
	if c.Spec.Overlap == nil {
		return defaultOverlap
	}
	return c.Spec.Overlap.Duration
}
