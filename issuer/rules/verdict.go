package rules

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// Verdict is whether an object works, and if not, why. The zero value is "no".
type Verdict struct {
	// OK is true if the object works.
	OK bool
	// Reason is the reason of the Ready condition, one of v1alpha1's constants.
	Reason string
	// Message says for people what was found and what to write instead.
	Message string
}

func works(message string) Verdict {
	return Verdict{OK: true, Reason: v1alpha1.ReasonReady, Message: message}
}

func refused(reason, message string) Verdict {
	return Verdict{Reason: reason, Message: message}
}

// Older says whether a goes before b where both claim the same name: the older
// does, then the one with the smaller namespace/name. No two objects of one kind
// are equal in this order.
func Older(a, b metav1.Object) bool {
	at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if !at.Equal(&bt) {
		return at.Before(&bt)
	}
	if a.GetNamespace() != b.GetNamespace() {
		return a.GetNamespace() < b.GetNamespace()
	}
	return a.GetName() < b.GetName()
}

// same says whether two objects of one kind are the same object.
func same(a, b metav1.Object) bool {
	return a.GetNamespace() == b.GetNamespace() && a.GetName() == b.GetName()
}
