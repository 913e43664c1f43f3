package clientcertificate

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"strings"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// genuine says whether cert-manager made r for the Certificate and the revision that
// r claims. The owner reference and the annotations are metadata, which everybody can
// change who may edit CertificateRequests; so they count only as far as they agree
// with what nobody can change: the name, which cert-manager makes of both, the moment
// of creation, and the spec, with the username of who really asked.
func (p Policy) genuine(o *observation, r *certmanagerv1.CertificateRequest) bool {
	return o.certificate.UID != "" && ownerOf(r).UID == o.certificate.UID &&
		r.DeletionTimestamp == nil &&
		r.Name == requestName(o.certificate.Name, revisionOf(r)) &&
		// One that is older was made for an earlier Certificate of the same name.
		!r.CreationTimestamp.Before(&o.certificate.CreationTimestamp) &&
		r.Spec.Username == p.CertManagerUsername &&
		(o.object.Spec.Issuance == nil || p.declared(o, r))
}

// declared holds what spec.issuance says also against a Certificate of ours that
// somebody has changed: what another issuer signs, or for another client, is not pinned.
func (p Policy) declared(o *observation, r *certmanagerv1.CertificateRequest) bool {
	wanted := o.object.Spec.Issuance.IssuerRef
	asked := v1alpha1.IssuerReference{Name: r.Spec.IssuerRef.Name, Kind: r.Spec.IssuerRef.Kind, Group: r.Spec.IssuerRef.Group}
	signing := signingRequest(r)
	return rules.IssuerName(asked) == rules.IssuerName(wanted) && rules.IssuerAllowed(asked, o.namespace, p.AllowedIssuers) &&
		signing != nil && slices.ContainsFunc(uris(signing), func(uri string) bool { return uri == p.spiffeID(o.object) })
}

// spiffeID is the URI that stands in the certificates of object's client.
func (p Policy) spiffeID(object *v1alpha1.ClientCertificate) string {
	return fmt.Sprintf("spiffe://%s/ns/%s/oauthclient/%s", p.TrustDomain, object.Namespace, object.Spec.ClientRef.Name)
}

func uris(signing *x509.CertificateRequest) []string {
	all := make([]string, len(signing.URIs))
	for i, uri := range signing.URIs {
		all[i] = uri.String()
	}
	return all
}

// maxUnhashed is how long a Certificate's name may be to stand in its requests' names
// as it is; of a longer one cert-manager takes what fits before its hash.
const (
	maxUnhashed = 233
	hashedStart = maxUnhashed - 2*sha256.Size - 1
)

// requestName is the name that cert-manager gives to the CertificateRequest of a
// Certificate's revision while its feature StableCertificateRequestName is on, as it
// is by default since cert-manager 1.13.
//
// A hashed name can be that of a request for another Certificate too, if somebody
// names one like the hash; see docs/decisions/0005-requests-are-known-by-name.md.
func requestName(certificate string, revision int64) string {
	if len(certificate) > maxUnhashed {
		certificate = fmt.Sprintf("%s-%x", strings.TrimRight(certificate[:hashedStart], "-."), sha256.Sum256([]byte(certificate)))
	}
	return certificate + "-" + strconv.FormatInt(revision, 10)
}

// signingRequest reads the certificate signing request (PKCS #10) in r; nil if there
// is none that can be read.
func signingRequest(r *certmanagerv1.CertificateRequest) *x509.CertificateRequest {
	block, _ := pem.Decode(r.Spec.Request)
	if block == nil {
		return nil
	}
	signing, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil
	}
	return signing
}

// keyOf returns the public key that r asks a certificate for; nil if none can be read.
func keyOf(r *certmanagerv1.CertificateRequest) crypto.PublicKey {
	signing := signingRequest(r)
	if signing == nil {
		return nil
	}
	return signing.PublicKey
}

// holds says whether the certificate is one for key.
func (l leaf) holds(key crypto.PublicKey) bool {
	certificate, err := l.certificate()
	if err != nil {
		return false
	}
	public, ok := certificate.PublicKey.(interface {
		Equal(other crypto.PublicKey) bool
	})
	return ok && public.Equal(key)
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
