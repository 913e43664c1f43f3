package clientcertificate

import (
	"fmt"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// progress is how the making of a certificate stands: the condition Issuing.
type progress struct {
	issuing bool
	// done is true if cert-manager has put a certificate into the Secret, and does nothing more.
	done    bool
	reason  string
	message string
}

func (p progress) condition(generation int64) metav1.Condition {
	c := metav1.Condition{
		Type: v1alpha1.ConditionIssuing, Status: metav1.ConditionFalse,
		Reason: p.reason, Message: p.message, ObservedGeneration: generation,
	}
	if p.issuing {
		c.Status = metav1.ConditionTrue
	}
	return c
}

// reasonOfWaiting is the reason of Ready while there is no certificate yet.
func (p progress) reasonOfWaiting() string {
	if p.reason == v1alpha1.ReasonIssuanceFailed {
		return p.reason
	}
	return v1alpha1.ReasonIssuing
}

// progressOf says how cert-manager gets on, in its own words.
func progressOf(o *observation, s sightings) progress {
	if o.object.Spec.PEM != "" {
		return progress{reason: v1alpha1.ReasonNotIssuing, message: "a certificate in spec.pem is not renewed by Lanyard; replace it before it expires"}
	}
	if o.object.Spec.Subject != nil {
		return progress{reason: v1alpha1.ReasonNotIssuing, message: "certificates that spec.subject matches are made elsewhere"}
	}
	c := o.certificate
	if o.deleting != nil && o.object.Spec.Issuance != nil {
		return progress{issuing: true, reason: v1alpha1.ReasonIssuing, message: fmt.Sprintf(
			"waits until Certificate %s/%s, which is being deleted, is gone", o.deleting.Namespace, o.deleting.Name)}
	}
	if c == nil {
		return progress{reason: v1alpha1.ReasonNotIssuing, message: "there is no Certificate yet"}
	}
	if c.Spec.IssuerRef == checkIssuer {
		return progress{issuing: true, reason: v1alpha1.ReasonIssuing, message: fmt.Sprintf(
			"waits for cert-manager to say whether Secret %s/%s exists already", c.Namespace, c.Spec.SecretName)}
	}
	issuing := certificateCondition(c, certmanagerv1.CertificateConditionIssuing)
	ready := certificateCondition(c, certmanagerv1.CertificateConditionReady)
	switch {
	case issuing != nil && issuing.Status == cmmeta.ConditionTrue:
		return progress{issuing: true, reason: v1alpha1.ReasonIssuing, message: "cert-manager: " + detail(s, issuing.Message)}
	case issuing != nil && c.Status.LastFailureTime != nil:
		return progress{done: s.revision > 0, reason: v1alpha1.ReasonIssuanceFailed, message: "cert-manager: " + issuing.Message}
	case s.revision > 0 || ready != nil && ready.Status == cmmeta.ConditionTrue:
		return progress{done: true, reason: v1alpha1.ReasonIssued, message: fmt.Sprintf(
			"revision %d is in Secret %s/%s", s.revision, c.Namespace, c.Spec.SecretName)}
	default:
		return progress{issuing: true, reason: v1alpha1.ReasonIssuing, message: fmt.Sprintf(
			"waits for cert-manager to begin with Certificate %s/%s", c.Namespace, c.Name)}
	}
}

// detail is what is known best about the issuance under way: what stands in its
// CertificateRequest, or else the Certificate's own message.
func detail(s sightings, message string) string {
	r := s.pending
	switch {
	case s.onNext.Reason != "":
		return s.onNext.Message
	case r == nil:
		return message
	}
	denied := conditionOf(r, certmanagerv1.CertificateRequestConditionDenied)
	ready := conditionOf(r, certmanagerv1.CertificateRequestConditionReady)
	switch {
	case denied != nil && denied.Status == cmmeta.ConditionTrue:
		return fmt.Sprintf("CertificateRequest %s was denied: %s", r.Name, denied.Message)
	case ready != nil && ready.Status != cmmeta.ConditionTrue:
		return fmt.Sprintf("CertificateRequest %s: %s: %s", r.Name, ready.Reason, ready.Message)
	case conditionOf(r, certmanagerv1.CertificateRequestConditionApproved) == nil:
		return fmt.Sprintf("CertificateRequest %s waits for approval", r.Name)
	default:
		return message
	}
}
