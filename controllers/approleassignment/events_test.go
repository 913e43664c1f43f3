package approleassignment

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// recorder keeps events as "<type> <reason> of <kind>: <note>".
type recorder struct{ events []string }

func (r *recorder) Eventf(regarding, _ runtime.Object, eventType, reason, _, note string, args ...any) {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", regarding), "*v1alpha1.")
	r.events = append(r.events, fmt.Sprintf("%s %s of %s: %s", eventType, reason, kind, fmt.Sprintf(note, args...)))
}

// One look makes one event at most: the decision on the role, or else what stands in its
// way on the assignment.
func TestOneEvent(t *testing.T) {
	approval := func(edit func(*v1alpha1.AppRoleAssignment)) *v1alpha1.AppRoleAssignment {
		a := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "x", Generation: 2}}
		a.Spec.RoleRef.Name, a.Spec.Decision, a.Spec.DecidedBy = "read", v1alpha1.DecisionApproved, "alice"
		a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: "shop", Name: "checkout"}
		edit(a)
		return a
	}
	seen := func(generation int64, reason string) func(*v1alpha1.AppRoleAssignment) {
		return func(a *v1alpha1.AppRoleAssignment) {
			a.Status.ObservedGeneration = generation
			a.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: reason}}
			if reason == v1alpha1.ReasonReady {
				a.Status.Conditions[0].Status = "True"
			}
		}
	}
	role := &v1alpha1.AppRole{}
	for sentence, test := range map[string]struct {
		assignment *v1alpha1.AppRoleAssignment
		role       *v1alpha1.AppRole
		want       []string
	}{
		"a new approval": {approval(func(*v1alpha1.AppRoleAssignment) {}), role, []string{"Normal Approved of AppRole: alice approved shop/checkout"}},
		"until when, and why": {approval(func(a *v1alpha1.AppRoleAssignment) {
			a.Spec.ExpiresAt, a.Spec.Reason = &metav1.Time{Time: noon.Add(time.Hour)}, "100% needed"
		}), role, []string{"Normal Approved of AppRole: alice approved shop/checkout until 2026-03-01T13:00:00Z: 100% needed"}},
		"a denial by labels": {approval(func(a *v1alpha1.AppRoleAssignment) {
			a.Spec.Decision, a.Spec.ClientRef = v1alpha1.DecisionDenied, nil
			a.Spec.ClientSelector = &v1alpha1.ClientSelector{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}}
		}), role, []string{"Normal Denied of AppRole: alice denied the clients of namespaces with team=shop"}},
		"nobody knows who decided":          {approval(func(a *v1alpha1.AppRoleAssignment) { a.Spec.DecidedBy = "" }), role, []string{"Normal Approved of AppRole: AppRoleAssignment x: Approved for shop/checkout"}},
		"it was decided anew":               {approval(seen(1, v1alpha1.ReasonReady)), role, []string{"Normal Approved of AppRole: alice approved shop/checkout"}},
		"only the count of clients changed": {approval(seen(2, v1alpha1.ReasonReady)), role, nil},
		"the role is not there":             {approval(func(*v1alpha1.AppRoleAssignment) {}), nil, []string{"Warning RoleNotFound of AppRoleAssignment: "}},
		"the role came back":                {approval(seen(2, v1alpha1.ReasonRoleNotFound)), role, []string{"Normal Ready of AppRoleAssignment: "}},
		"what is decided is in the past":    {approval(func(a *v1alpha1.AppRoleAssignment) { a.Spec.ExpiresAt = &metav1.Time{Time: noon} }), role, []string{"Warning Expired of AppRoleAssignment: "}},
		"the approval has ended meanwhile": {approval(func(a *v1alpha1.AppRoleAssignment) {
			seen(2, v1alpha1.ReasonReady)(a)
			a.Spec.ExpiresAt = &metav1.Time{Time: noon}
		}), role, []string{"Warning Expired of AppRoleAssignment: "}},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := facts{assignment: test.assignment, role: test.role}
			after := test.assignment.DeepCopy()
			after.Status = conclude(f, decide(f, noon), noon)
			var events recorder
			(&reconciler{recorder: &events}).tell(f, after)
			got := events.events
			for i := range got { // of what other tests show, the beginning is enough
				if strings.Contains(got[i], " of AppRoleAssignment: ") {
					got[i], _, _ = strings.Cut(got[i], "spec.")
					got[i], _, _ = strings.Cut(got[i], "the approval is in force")
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
