package clientcertificate

import (
	"fmt"
	"slices"
	"strconv"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"

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
	// onCurrent and onNext say why there is none although something claims to be one.
	onCurrent, onNext rules.Verdict
}

// see reads what the source proves.
func (p Policy) see(o *observation) sightings {
	switch {
	case o.object.Spec.PEM != "":
		return seePEM(o.object.Spec.PEM)
	case o.certificate == nil:
		return sightings{}
	}
	var s sightings
	if r := o.certificate.Status.Revision; r != nil {
		s.revision = int64(*r)
	}
	if s.revision > 0 {
		s.current, s.onCurrent = p.candidate(o, s.revision)
	}
	s.next, s.onNext = p.candidate(o, s.revision+1)
	for _, r := range o.requests {
		if revisionOf(r) == s.revision+1 && p.genuine(o, r) && !issued(r) {
			s.pending = r
		}
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

// candidate returns the certificate of one revision: that of the only
// CertificateRequest that cert-manager itself has made for it. Of two, neither
// counts, because nobody could say which one is in the Secret.
func (p Policy) candidate(o *observation, revision int64) (*sighting, rules.Verdict) {
	requests := slices.DeleteFunc(slices.Clone(o.requests), func(r *certmanagerv1.CertificateRequest) bool {
		return revisionOf(r) != revision || !p.genuine(o, r) || !issued(r)
	})
	switch len(requests) {
	case 0:
		return nil, rules.Verdict{}
	case 1:
	default:
		return nil, refused(v1alpha1.ReasonCertificateRequestAmbiguous, fmt.Sprintf(
			"the CertificateRequests %s and %s both claim revision %d of Certificate %s, so neither is pinned; delete the one that is wrong",
			requests[0].Name, requests[1].Name, revision, o.certificate.Name))
	}
	request := requests[0]
	l, err := parseFirst(request.Status.Certificate)
	if err == nil {
		err = l.usable()
	}
	if err != nil {
		return nil, refused(v1alpha1.ReasonCertificateInvalid, fmt.Sprintf(
			"the certificate of revision %d of Certificate %s cannot be used: %v", revision, o.certificate.Name, err))
	}
	return &sighting{leaf: l, revision: revision, request: request}, rules.Verdict{}
}

// genuine says whether cert-manager made r for the Certificate. An owner reference
// and a revision anybody can write who may create CertificateRequests; the username
// is written by cert-manager's admission from who really asked, and never changes.
func (p Policy) genuine(o *observation, r *certmanagerv1.CertificateRequest) bool {
	return o.certificate.UID != "" && ownerOf(r).UID == o.certificate.UID &&
		r.Spec.Username == p.CertManagerUsername &&
		(o.object.Spec.Issuance == nil || p.allowed(o, r.Spec.IssuerRef))
}

// allowed holds the rule of issuers also against a Certificate of ours that
// somebody has changed: what another issuer signs is not pinned.
func (p Policy) allowed(o *observation, ref cmmeta.IssuerReference) bool {
	return rules.IssuerAllowed(v1alpha1.IssuerReference{Name: ref.Name, Kind: ref.Kind, Group: ref.Group}, o.namespace, p.AllowedIssuers)
}

// issued says whether r was approved and has its certificate.
func issued(r *certmanagerv1.CertificateRequest) bool {
	denied := conditionOf(r, certmanagerv1.CertificateRequestConditionDenied)
	ready := conditionOf(r, certmanagerv1.CertificateRequestConditionReady)
	return (denied == nil || denied.Status != cmmeta.ConditionTrue) &&
		ready != nil && ready.Status == cmmeta.ConditionTrue && len(r.Status.Certificate) > 0
}

// revisionOf returns the revision that r claims; 0 if none.
func revisionOf(r *certmanagerv1.CertificateRequest) int64 {
	revision, err := strconv.ParseInt(r.Annotations[certmanagerv1.CertificateRequestRevisionAnnotationKey], 10, 64)
	if err != nil || revision < 0 {
		return 0
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
