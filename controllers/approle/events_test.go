package approle

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

type recorder struct{ notes []string }

func (r *recorder) Eventf(_, _ runtime.Object, _, _, _, note string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(note, args...))
}

// A role that is new names decisions that were there before it, a handful of them.
func TestNewRoleTellsOfEarlierDecisions(t *testing.T) {
	f := crowd(0)
	tell := func() string {
		var events recorder
		after := f.Role.DeepCopy()
		after.Status = conclude(f, decide(f, noon), noon)
		(&reconciler{recorder: &events}).tell(f, after)
		return strings.Join(events.notes, "|")
	}
	if got, want := tell(), "the role can be granted"; got != want {
		t.Errorf("told %q; want %q", got, want)
	}
	for i := range 12 {
		f.assignments = append(f.assignments, decided(v1alpha1.DecisionApproved, fmt.Sprintf("c%02d", 11-i)))
	}
	if got := tell(); !strings.Contains(got, "AppRoleAssignment for-c00, for-c01, ") || !strings.HasSuffix(got, "for-c09, 2 more") {
		t.Errorf("told %q", got)
	}
	f.Role.Status.ObservedGeneration = 2
	if got, want := tell(), "the role can be granted"; got != want {
		t.Errorf("told %q of a role that is not new; want %q", got, want)
	}
}
