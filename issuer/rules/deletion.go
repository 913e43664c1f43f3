package rules

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// Gone says whether o counts as absent because somebody has deleted it. A finalizer,
// which anybody may add who may edit the object, keeps a deleted object readable for
// as long as its owner likes: a tenant must not outlive the deletion of its client,
// and the name that a deleted object held is free at once.
//
// A denial is the exception. It ends when it is really gone, so that deleting it
// slowly does not end it early; whatever is not an approval counts as a denial.
func Gone(o metav1.Object) bool {
	if o.GetDeletionTimestamp() == nil {
		return false
	}
	a, ok := o.(*v1alpha1.AppRoleAssignment)
	return !ok || a.Spec.Decision == v1alpha1.DecisionApproved
}
