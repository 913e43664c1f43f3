package clientcertificate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// conclusion is what a reconciliation comes to.
type conclusion struct {
	status v1alpha1.ClientCertificateStatus
	// next is when something changes by itself; zero: never.
	next time.Time
}

// conclude says in status what was observed, decided and done.
func conclude(o *observation, s sightings, d decision, rejected rules.Verdict) conclusion {
	pins := keepPins(o, s)
	doing := progressOf(o, s)
	ready := d.refusal
	if ready.Reason == "" {
		ready = rejected
	}
	if ready.Reason == "" {
		ready = readiness(o, s, pins, doing)
	} else if pin := current(pins); pin != nil && o.client != nil && rules.Live(pin, o.object.Spec.Distrust, o.now) {
		// What is declared does not serve, and what was pinned before still does.
		ready.Message += "; the certificate that is pinned already works on until " + date(metav1.NewTime(rules.PinEnds(pin)))
	}
	generation := o.object.Generation
	conditions := status.Ready(o.object.Status.Conditions, ready, generation, o.now)
	conditions = status.Set(conditions, doing.condition(generation), o.now)

	next := v1alpha1.ClientCertificateStatus{
		ObservedGeneration: generation,
		Conditions:         conditions,
		Pins:               pins,
		SecretName:         secretName(o),
	}
	if pin := current(pins); pin != nil {
		next.Revision = pin.Revision
	}
	return conclusion{status: next, next: nextChange(o, s, pins)}
}

// current returns the current pin, whether or not it works yet; nil if there is none.
func current(pins []v1alpha1.Pin) *v1alpha1.Pin {
	i := slices.IndexFunc(pins, func(p v1alpha1.Pin) bool { return p.State == v1alpha1.PinCurrent })
	if i < 0 {
		return nil
	}
	return &pins[i]
}

// readiness says whether a pinned certificate works, where nothing was refused.
func readiness(o *observation, s sightings, pins []v1alpha1.Pin, doing progress) rules.Verdict {
	if s.matching != nil {
		return s.matching.verdict
	}
	pin := current(pins)
	unpinned := pinOfRevision(o, s, pins) < 0
	switch {
	case s.onCurrent.Reason != "" && unpinned:
		return s.onCurrent
	case s.current == nil && unpinned && doing.done && !expired(o) && (s.revision > 0 || pin == nil):
		return requestNotFound(o, s.revision)
	case pin != nil && rules.Live(pin, o.object.Spec.Distrust, o.now):
		return rules.Verdict{OK: true, Reason: v1alpha1.ReasonReady, Message: fmt.Sprintf(
			"certificate %s is pinned to client %s until %s", pin.Thumbprint, rules.ClientID(o.client), date(metav1.NewTime(rules.PinEnds(pin))))}
	case pin != nil:
		return refused(v1alpha1.ReasonCertificateNotYetValid, fmt.Sprintf(
			"the certificate is valid from %s; it works then, without anybody's doing", date(pin.NotBefore)))
	case s.current != nil && distrusted(o.object, s.current.thumbprint):
		return refused(v1alpha1.ReasonDistrusted, fmt.Sprintf(
			"spec.distrust lists the certificate in use, %s; %s", s.current.thumbprint, anew(o)))
	case s.current != nil:
		return refused(v1alpha1.ReasonCertificateExpired, fmt.Sprintf("the certificate expired at %s; %s", date(s.current.notAfter), anew(o)))
	case expired(o):
		return refused(v1alpha1.ReasonCertificateExpired, fmt.Sprintf(
			"the certificate of Certificate %s expired at %s; %s", o.certificate.Name, date(*o.certificate.Status.NotAfter), doing.message))
	default:
		return refused(doing.reasonOfWaiting(), doing.message)
	}
}

// expired says whether the Certificate's certificate has, as its status says.
func expired(o *observation) bool {
	return o.certificate != nil && o.certificate.Status.NotAfter != nil && !o.now.Before(o.certificate.Status.NotAfter.Time)
}

// anew says how a new certificate is had.
func anew(o *observation) string {
	if o.object.Spec.PEM != "" {
		return "replace spec.pem"
	}
	return renew(o)
}

func renew(o *observation) string {
	return fmt.Sprintf("have cert-manager make a new one: cmctl renew --namespace %[1]s %[2]s (or kubectl --namespace %[1]s delete secret %[3]s)",
		o.object.Namespace, o.certificate.Name, o.certificate.Spec.SecretName)
}

// requestNotFound says that nothing proves the certificate in use, and why.
func requestNotFound(o *observation, revision int64) rules.Verdict {
	why := "is gone"
	if revision == 0 {
		why = "is unknown here, as after a restore from a backup"
	}
	name := requestName(o.certificate.Name, revision)
	for _, r := range o.requests {
		switch {
		case revisionOf(r) != revision:
		case r.Name == name && !issued(r):
			why = fmt.Sprintf("has no certificate in its status: see %s", r.Name)
		case r.Name == name:
			why = fmt.Sprintf("was not made by cert-manager for this client and an issuer that is allowed: %s is by user %q", r.Name, r.Spec.Username)
		case !strings.Contains(why, "by user"):
			why = fmt.Sprintf("is missing: %s claims to be it and is not named %s; Lanyard needs cert-manager's feature gate StableCertificateRequestName, which is on by default", r.Name, name)
		}
	}
	return refused(v1alpha1.ReasonCertificateRequestNotFound, fmt.Sprintf(
		"the CertificateRequest of revision %d of Certificate %s %s, so the certificate in use cannot be known; %s",
		revision, o.certificate.Name, why, renew(o)))
}

// secretName is where certificate and key are. For spec.issuance it is said only
// once it is known that the Secret is nobody else's: see secretNameKnown.
func secretName(o *observation) string {
	switch {
	case o.object.Spec.PEM != "":
		return ""
	case o.object.Spec.Issuance != nil:
		if secretNameKnown(o) {
			return o.object.Spec.Issuance.SecretName
		}
		return ""
	case o.certificate != nil:
		return o.certificate.Spec.SecretName
	default:
		return ""
	}
}

// nextChange is the next moment at which a certificate begins to work or ends.
func nextChange(o *observation, s sightings, pins []v1alpha1.Pin) time.Time {
	var next time.Time
	consider := func(t time.Time) {
		if t.After(o.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for i := range pins {
		consider(pins[i].NotBefore.Add(-rules.Leeway))
		consider(rules.PinEnds(&pins[i]))
	}
	if s.current != nil {
		consider(s.current.notAfter.Time)
	}
	if s.matching != nil {
		consider(s.matching.next)
	}
	return next
}

func date(t metav1.Time) string { return t.UTC().Format(time.RFC3339) }
