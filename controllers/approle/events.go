package approle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

// tell tells how the role stands, and of a role that is new who was there before it.
func (r *reconciler) tell(f facts, after *v1alpha1.AppRole) {
	conditions := slices.Clone(after.Status.Conditions)
	if f.Role.Status.ObservedGeneration == 0 && len(f.assignments) > 0 {
		for i := range conditions {
			conditions[i].Message += "; " + earlier(f.assignments)
		}
	}
	status.Record(r.recorder, after, f.Role.Status.Conditions, conditions)
}

// earlier names decisions that are older than their role, as far as anybody reads.
func earlier(assignments []*v1alpha1.AppRoleAssignment) string {
	const most = 10
	var names []string
	for _, a := range assignments {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	return "it was decided on before, with AppRoleAssignment " + strings.Join(names, ", ")
}
