package clientcertificate

import (
	"fmt"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Policy is what the installation says, the same for every ClientCertificate.
type Policy struct {
	// AllowedIssuers may be named in every namespace: Kind/name or Kind.group/name.
	AllowedIssuers []string
	// CertManagerUsername is who cert-manager is: only its CertificateRequests count.
	CertManagerUsername string
	// TrustDomain stands in the SPIFFE URI of certificates.
	TrustDomain string
}

// decision is what to do. At most one of create and apply is set; neither: the
// Certificate is left as it is.
type decision struct {
	// create makes a Certificate that does not exist, and fails if it does.
	create *certmanagerv1.Certificate
	// apply changes the Certificate that this object controls.
	apply *certmanagerv1.Certificate
	// refusal says why the source does not serve as it is declared; its Reason is
	// empty if it does.
	refusal rules.Verdict
	// again is after how long to decide anew although nothing was heard; zero: never.
	again time.Duration
}

// decide says what to do about the Certificate, from what was observed alone.
func (p Policy) decide(o *observation) decision {
	spec := &o.object.Spec
	switch {
	case o.clientDeleting:
		return refuse(v1alpha1.ReasonClientNotFound, fmt.Sprintf(
			"OAuthClient %q in namespace %s, which spec.clientRef names, is being deleted; create it again when it is gone", spec.ClientRef.Name, o.object.Namespace))
	case o.client == nil:
		return refuse(v1alpha1.ReasonClientNotFound, fmt.Sprintf(
			"spec.clientRef names no OAuthClient %q in namespace %s; create it", spec.ClientRef.Name, o.object.Namespace))
	case spec.PEM != "" || spec.Subject != nil:
		return decision{}
	case !o.certManager:
		return refuse(v1alpha1.ReasonCertManagerNotInstalled,
			"this cluster has no cert-manager (its API cert-manager.io/v1 is not served), which makes and renews certificates; install it, or give a certificate with spec.pem")
	case spec.Issuance != nil:
		return p.decideIssuance(o)
	case spec.CertificateRef != nil && o.deleting != nil:
		return refuse(v1alpha1.ReasonCertificateNotFound, fmt.Sprintf(
			"Certificate %q in namespace %s, which spec.certificateRef names, is being deleted; create it again when it is gone", spec.CertificateRef.Name, o.object.Namespace))
	case spec.CertificateRef != nil && o.certificate == nil:
		return refuse(v1alpha1.ReasonCertificateNotFound, fmt.Sprintf(
			"spec.certificateRef names no Certificate %q in namespace %s; create it", spec.CertificateRef.Name, o.object.Namespace))
	default:
		return decision{}
	}
}

func refuse(reason, message string) decision { return decision{refusal: refused(reason, message)} }

func refused(reason, message string) rules.Verdict {
	return rules.Verdict{Reason: reason, Message: message}
}
