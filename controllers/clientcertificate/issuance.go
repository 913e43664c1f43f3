package clientcertificate

import (
	"fmt"
	"slices"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// checkIssuer stands in a Certificate while Lanyard finds out whether its Secret
// exists already. No issuer of that group exists, so that cert-manager can say what
// it sees but can write nothing. See docs/decisions/0003-no-permission-on-secrets.md.
var checkIssuer = cmmeta.IssuerReference{Group: v1alpha1.SchemeGroupVersion.Group, Kind: "SecretNameCheck", Name: "pending"}

// secretDoesNotExist is the reason with which cert-manager says that a Certificate's
// Secret does not exist. Any other reason means that there is one.
const secretDoesNotExist = "DoesNotExist"

// revisionHistory is how many CertificateRequests cert-manager keeps, so that the
// one of the certificate in use is not deleted the moment that its renewal begins.
const revisionHistory = 3

// maxCommonName is X.509's limit, in bytes.
const maxCommonName = 64

// decideIssuance decides what Certificate there is to be for spec.issuance.
func (p Policy) decideIssuance(o *observation) decision {
	issuance, own := o.object.Spec.Issuance, o.certificate
	allowed := rules.Issuance(o.object, o.namespace, p.AllowedIssuers)
	switch {
	case o.foreign != nil:
		return refuse(v1alpha1.ReasonCertificateNotOurs, fmt.Sprintf(
			"a Certificate %s/%s exists already, and this ClientCertificate does not control it; delete it, give this ClientCertificate another name, or adopt it with spec.certificateRef instead of spec.issuance",
			o.foreign.Namespace, o.foreign.Name))
	case !allowed.OK:
		return decision{refusal: allowed}
	}
	if o.deleting != nil {
		return decision{} // made again when it is gone
	}
	if rival := olderRival(own, o.rivals); rival != nil {
		return refuse(v1alpha1.ReasonSecretNameInUse, fmt.Sprintf(
			"spec.issuance.secretName %q is used by Certificate %s/%s; choose another secretName", issuance.SecretName, rival.Namespace, rival.Name))
	}
	known := secretNameKnown(o)
	switch {
	case own == nil && known:
		return decision{create: p.first(o)}
	case own == nil:
		return decision{create: p.check(o)}
	case known:
		return applyUnlessSame(own, p.final(o))
	case own.Spec.IssuerRef != checkIssuer || own.Spec.SecretName != issuance.SecretName:
		return applyUnlessSame(own, p.check(o))
	}
	seen := certificateCondition(own, certmanagerv1.CertificateConditionReady)
	switch {
	case seen == nil || seen.ObservedGeneration != own.Generation:
		return decision{} // cert-manager has not looked yet
	case seen.Reason == secretDoesNotExist:
		return decision{apply: p.final(o)}
	default:
		d := refuse(v1alpha1.ReasonSecretNameInUse, fmt.Sprintf(
			"Secret %s/%s exists already, and Lanyard neither reads nor overwrites Secrets; if it is left from an earlier certificate delete it (kubectl -n %[1]s delete secret %[2]s), or choose another spec.issuance.secretName",
			o.object.Namespace, issuance.SecretName))
		return p.lookAgain(o, d)
	}
}

// lookAgain has cert-manager look at the Secret's name from time to time. It does not
// hear of the end of a Secret that it never had to do with, but it looks whenever the
// Certificate changes: soon after the name was found to be taken, when somebody is at
// it, and less often later.
func (p Policy) lookAgain(o *observation, d decision) decision {
	d.again = lookSoonest
	if c := meta.FindStatusCondition(o.object.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		d.again = min(max(o.now.Sub(c.LastTransitionTime.Time)/4, lookSoonest), lookLatest)
	}
	last, err := time.Parse(time.RFC3339, o.certificate.Annotations[v1alpha1.AnnotationSecretNameLookedAt])
	if err == nil && o.now.Sub(last) < d.again {
		return d
	}
	d.apply = p.check(o)
	d.apply.Annotations[v1alpha1.AnnotationSecretNameLookedAt] = o.now.UTC().Format(time.RFC3339)
	return d
}

const (
	lookSoonest = 3 * time.Second
	lookLatest  = 2 * time.Minute
)

// olderRival returns another Certificate that has the Secret: the oldest one, as
// cert-manager itself decides. A Certificate of ours that is not there yet is
// younger than all.
func olderRival(own *certmanagerv1.Certificate, rivals []*certmanagerv1.Certificate) *certmanagerv1.Certificate {
	for _, rival := range rivals {
		if own == nil || rules.Older(rival, own) {
			return rival
		}
	}
	return nil
}

// secretNameKnown says whether it is known that no Secret of somebody else has the
// name. The annotation is on a Certificate of ours; who changes it by hand may edit
// Certificates, and could have any Secret of the namespace overwritten without us.
// Status says it for a Certificate that was deleted and is made again; only where it
// speaks of this generation of the spec, because certificateRef sets it too.
func secretNameKnown(o *observation) bool {
	name := o.object.Spec.Issuance.SecretName
	annotated := func(c *certmanagerv1.Certificate) bool {
		return c != nil && c.Annotations[v1alpha1.AnnotationSecretNameChecked] == name
	}
	return annotated(o.certificate) || annotated(o.deleting) ||
		o.object.Status.SecretName == name && o.object.Status.ObservedGeneration == o.object.Generation
}

func applyUnlessSame(is, wanted *certmanagerv1.Certificate) decision {
	// DeepDerivative passes over what wanted leaves out; a size that is no longer
	// wanted must go.
	if equality.Semantic.DeepDerivative(wanted.Spec, is.Spec) &&
		is.Spec.PrivateKey.Size == wanted.Spec.PrivateKey.Size &&
		is.Annotations[v1alpha1.AnnotationSecretNameChecked] == wanted.Annotations[v1alpha1.AnnotationSecretNameChecked] {
		return decision{}
	}
	return decision{apply: wanted}
}

// final is the Certificate as the user declared it.
func (p Policy) final(o *observation) *certmanagerv1.Certificate {
	issuance := o.object.Spec.Issuance
	c := p.check(o)
	c.Annotations = map[string]string{v1alpha1.AnnotationSecretNameChecked: issuance.SecretName}
	c.Spec.IssuerRef = cmmeta.IssuerReference{Name: issuance.IssuerRef.Name, Kind: issuance.IssuerRef.Kind, Group: issuance.IssuerRef.Group}
	c.Spec.PrivateKey.Size = int(issuance.PrivateKey.Size)
	c.Spec.PrivateKey.RotationPolicy = certmanagerv1.PrivateKeyRotationPolicy(issuance.PrivateKey.RotationPolicy)
	return c
}

// first is final as it is created. What is created, rather than applied, can be
// changed but not be taken away later, so that it leaves the size to the next step.
func (p Policy) first(o *observation) *certmanagerv1.Certificate {
	c := p.final(o)
	c.Spec.PrivateKey.Size = 0
	return c
}

// check is the Certificate while its Secret's name is looked at. Its private key is
// a new one, whatever the user declared: with the policy Never cert-manager would
// copy the key of a Secret that may be somebody else's.
func (p Policy) check(o *observation) *certmanagerv1.Certificate {
	object, issuance := o.object, o.object.Spec.Issuance
	c := &certmanagerv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: object.Namespace, Name: object.Name,
			// Emptied rather than left out: first wrote it with a create, and an apply
			// takes away only what an apply wrote.
			Annotations: map[string]string{v1alpha1.AnnotationSecretNameChecked: ""},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: kind, Name: object.Name, UID: object.UID, Controller: new(true),
			}},
		},
		Spec: certmanagerv1.CertificateSpec{
			SecretName: issuance.SecretName, Duration: issuance.Duration, RenewBefore: issuance.RenewBefore,
			IssuerRef:            checkIssuer,
			URIs:                 []string{p.spiffeID(object)},
			Usages:               []certmanagerv1.KeyUsage{certmanagerv1.UsageDigitalSignature, certmanagerv1.UsageClientAuth},
			RevisionHistoryLimit: new(int32(revisionHistory)),
			PrivateKey: &certmanagerv1.CertificatePrivateKey{
				Algorithm:      certmanagerv1.PrivateKeyAlgorithm(issuance.PrivateKey.Algorithm),
				RotationPolicy: certmanagerv1.RotationPolicyAlways,
			},
		},
	}
	// A client id that the namespace may not claim is claimed of no CA either.
	if id := rules.ClientID(o.client); rules.ClientIDAllowed(o.client, o.namespace) && len(id) <= maxCommonName {
		c.Spec.CommonName = id
	}
	if len(validation.IsValidLabelValue(object.Name)) == 0 { // a name may be longer than a label
		c.Labels = map[string]string{v1alpha1.LabelClientCertificate: object.Name}
	}
	return c
}

// controls says whether object controls c: by UID, so that a re-created object of
// the same name does not pass for the one that made it.
func controls(object *v1alpha1.ClientCertificate, c *certmanagerv1.Certificate) bool {
	owner := metav1.GetControllerOf(c)
	return owner != nil && owner.UID == object.UID
}

// rivalsOf leaves out the Certificate itself.
func rivalsOf(name string, certificates []*certmanagerv1.Certificate) []*certmanagerv1.Certificate {
	return slices.DeleteFunc(certificates, func(c *certmanagerv1.Certificate) bool { return c.Name == name })
}
