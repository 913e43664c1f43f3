package clientcertificate

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

// Reasons of events on ClientCertificate that are no condition's.
const (
	// EventPinned: a certificate was pinned, and works.
	EventPinned = "CertificatePinned"
	// EventShared: the same certificate is pinned to another client too. It is
	// allowed, and mostly a mistake: whoever holds its key can act as both.
	EventShared = "CertificateShared"
	// EventAuthorityEnds: a CA certificate of spec.subject.caBundle expires soon, or has.
	EventAuthorityEnds = "CertificateAuthorityEnds"
)

// tell makes events and metrics of what has changed from o's status to next.
func (r *reconciler) tell(ctx context.Context, o *observation, s sightings, next v1alpha1.ClientCertificateStatus) {
	status.Record(r.recorder, o.object, o.object.Status.Conditions, worthTelling(next.Conditions))
	if s.matching != nil && s.matching.warning != "" && readyMessage(next) != readyMessage(o.object.Status) {
		r.recorder.Eventf(o.object, nil, corev1.EventTypeWarning, EventAuthorityEnds, "Match", "%s", status.Cut(s.matching.warning, status.MaxNote))
	}
	for _, pin := range next.Pins {
		before := slices.ContainsFunc(o.object.Status.Pins, func(p v1alpha1.Pin) bool { return p.Thumbprint == pin.Thumbprint })
		if before {
			continue
		}
		r.recorder.Eventf(o.object, nil, corev1.EventTypeNormal, EventPinned, "Pin",
			"certificate %s is pinned until %s", pin.Thumbprint, date(pin.NotAfter))
		r.metrics.pinned(o.now, s, pin.Thumbprint)
		if other := r.sharedWith(ctx, o.object, pin.Thumbprint); other != "" {
			r.recorder.Eventf(o.object, nil, corev1.EventTypeWarning, EventShared, "Pin",
				"certificate %s is pinned to %s too; whoever holds its key can act as both", pin.Thumbprint, other)
		}
	}
}

// readyMessage is what the condition Ready says; empty if there is none. That of
// spec.subject changes when the declaration does, or the state of a CA.
func readyMessage(s v1alpha1.ClientCertificateStatus) string {
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Message
	}
	return ""
}

// worthTelling leaves out what the other condition says better, and what never changes.
func worthTelling(conditions []metav1.Condition) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(conditions), func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionReady && c.Reason == v1alpha1.ReasonIssuing || c.Reason == v1alpha1.ReasonNotIssuing
	})
}

// sharedWith names another client that the certificate is pinned to, empty if there
// is none. A client of another namespace is not named: it is none of this one's business.
func (r *reconciler) sharedWith(ctx context.Context, object *v1alpha1.ClientCertificate, thumbprint string) string {
	var list v1alpha1.ClientCertificateList
	if err := r.client.List(ctx, &list, client.MatchingFields{indexThumbprint: thumbprint}); err != nil {
		logf.FromContext(ctx).Error(err, "looking for other clients of a certificate") // a warning is lost, nothing else
		return ""
	}
	found := ""
	for i := range list.Items {
		switch other := &list.Items[i]; {
		case other.Namespace != object.Namespace:
			found = "a client of another namespace"
		case other.Spec.ClientRef.Name != object.Spec.ClientRef.Name:
			return fmt.Sprintf("client %s of this namespace", other.Spec.ClientRef.Name)
		}
	}
	return found
}
