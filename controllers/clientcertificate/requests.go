package clientcertificate

import (
	"crypto"
	"fmt"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// sighting is a certificate that the source proves.
type sighting struct {
	leaf
	// revision of the Certificate; 0 for PEM.
	revision int64
	// request is what proves it; nil for PEM.
	request *certmanagerv1.CertificateRequest
}

// sightings is what the source proves now.
type sightings struct {
	// current is the certificate in use, next the one that follows. Each may be nil.
	current, next *sighting
	// pending is cert-manager's CertificateRequest for the next one; nil if there is none.
	pending *certmanagerv1.CertificateRequest
	// revision is the Certificate's own; 0 if it has none yet.
	revision int64
	// asked is the key that cert-manager asked a certificate of this revision for; nil
	// if that is not known any more.
	asked crypto.PublicKey
	// onCurrent and onNext say why there is none although something claims to be one.
	onCurrent, onNext rules.Verdict
	// matching is what spec.subject comes to; nil for the other sources.
	matching *matching
}

// see reads what the source proves.
func (p Policy) see(o *observation) sightings {
	switch {
	case o.object.Spec.PEM != "":
		return seePEM(o.object.Spec.PEM)
	case o.object.Spec.Subject != nil:
		return sightings{matching: seeSubject(o.object.Spec.Subject, o.now)}
	case o.certificate == nil:
		return sightings{}
	}
	s := sightings{revision: p.revision(o)}
	if s.revision > 0 {
		s.current, s.onCurrent = p.candidate(o, s.revision)
		if r := p.requestOf(o, s.revision); r != nil {
			s.asked = keyOf(r)
		}
	}
	s.next, s.onNext = p.candidate(o, s.revision+1)
	if r := p.requestOf(o, s.revision+1); r != nil && !issued(r) {
		s.pending = r
	}
	return s
}

func seePEM(text string) sightings {
	l, err := parsePEM(text)
	if err != nil {
		return sightings{onCurrent: refused(v1alpha1.ReasonInvalidPEM, fmt.Sprintf("spec.pem is not one certificate: %v", err))}
	}
	if err := l.usable(); err != nil {
		return sightings{onCurrent: refused(v1alpha1.ReasonCertificateInvalid, fmt.Sprintf("the certificate in spec.pem cannot be used: %v", err))}
	}
	return sightings{current: &sighting{leaf: l}}
}

// candidate returns the certificate of one revision: that of the CertificateRequest
// that cert-manager itself has made for it. There can be only one: they have one name.
func (p Policy) candidate(o *observation, revision int64) (*sighting, rules.Verdict) {
	request := p.requestOf(o, revision)
	if request == nil || !issued(request) {
		return nil, rules.Verdict{}
	}
	l, err := parseFirst(request.Status.Certificate)
	if err == nil {
		err = l.usable()
	}
	switch {
	case err != nil:
		return nil, refused(v1alpha1.ReasonCertificateInvalid, fmt.Sprintf(
			"the certificate of revision %d of Certificate %s cannot be used: %v", revision, o.certificate.Name, err))
	case !l.holds(keyOf(request)):
		// Whoever may write the status of CertificateRequests must not choose the key.
		return nil, refused(v1alpha1.ReasonCertificateInvalid, fmt.Sprintf(
			"the certificate in the status of CertificateRequest %s has another key than spec.request asks for, so somebody else than the issuer may have put it there; %s",
			request.Name, renew(o)))
	}
	return &sighting{leaf: l, revision: revision, request: request}, rules.Verdict{}
}

// requestOf returns the genuine CertificateRequest of a revision, nil if there is none.
func (p Policy) requestOf(o *observation, revision int64) *certmanagerv1.CertificateRequest {
	for _, r := range o.requests {
		if revisionOf(r) == revision && p.genuine(o, r) {
			return r
		}
	}
	return nil
}

// revision is the Certificate's; 0 if it has none yet. It never goes back in one
// Certificate: who may write its status could otherwise make a replaced certificate
// the current one again, for as long as they like.
func (p Policy) revision(o *observation) int64 {
	if o.certificate.Status.Revision == nil {
		return 0
	}
	revision := int64(*o.certificate.Status.Revision)
	if pin := current(o.object.Status.Pins); pin != nil && pin.Revision > revision {
		if reached, _ := p.candidate(o, pin.Revision); reached != nil && reached.thumbprint == pin.Thumbprint {
			return pin.Revision
		}
	}
	return revision
}

func conditionOf(r *certmanagerv1.CertificateRequest, t certmanagerv1.CertificateRequestConditionType) *certmanagerv1.CertificateRequestCondition {
	for i := range r.Status.Conditions {
		if r.Status.Conditions[i].Type == t {
			return &r.Status.Conditions[i]
		}
	}
	return nil
}

func certificateCondition(c *certmanagerv1.Certificate, t certmanagerv1.CertificateConditionType) *certmanagerv1.CertificateCondition {
	for i := range c.Status.Conditions {
		if c.Status.Conditions[i].Type == t {
			return &c.Status.Conditions[i]
		}
	}
	return nil
}
