package oauthclient

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// recorder keeps events as "<type> <reason> of <role>: <note>".
type recorder struct{ events []string }

func (r *recorder) Eventf(_, related runtime.Object, eventType, reason, _, note string, args ...any) {
	about := "the client"
	if role, ok := related.(*v1alpha1.AppRole); ok {
		about = role.Namespace + "/" + role.Name
	}
	r.events = append(r.events, fmt.Sprintf("%s %s of %s: %s", eventType, reason, about, fmt.Sprintf(note, args...)))
}

// One look makes one event at most, whatever it found.
func TestOneEvent(t *testing.T) {
	ready := func(status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: reason + " it is"}
	}
	role := func(name string, state v1alpha1.RoleState) v1alpha1.ClientRoleStatus {
		return v1alpha1.ClientRoleStatus{Namespace: "orders", Name: name, State: state}
	}
	decided := role("a", v1alpha1.RoleGranted)
	decided.DecidedBy, decided.ExpiresAt = "alice", &metav1.Time{Time: noon.Add(time.Hour)}
	denied := role("a", v1alpha1.RoleDenied)
	denied.DecidedBy, denied.Message = "bob", "100% no"
	type state struct {
		ready metav1.Condition
		roles []v1alpha1.ClientRoleStatus
	}
	is := func(roles ...v1alpha1.ClientRoleStatus) state {
		return state{ready(metav1.ConditionTrue, v1alpha1.ReasonReady), roles}
	}
	for sentence, test := range map[string]struct {
		before, after state
		want          []string
	}{
		"nothing changed":                            {is(decided), is(decided), nil},
		"a new client whose role waits":              {state{}, is(role("a", v1alpha1.RolePending)), []string{"Normal Ready of the client: Ready it is"}},
		"a role that is asked for waits":             {is(), is(role("a", v1alpha1.RolePending)), nil},
		"a role that is asked for is none":           {is(), is(role("a", v1alpha1.RoleNotFound)), []string{"Warning RolesNotFound of orders/a: orders/a is NotFound"}},
		"it was created, and may wait now":           {is(role("a", v1alpha1.RoleNotFound)), is(role("a", v1alpha1.RolePending)), nil},
		"it was granted":                             {is(role("a", v1alpha1.RolePending)), is(decided), []string{"Normal RoleGranted of orders/a: orders/a is Granted until 2026-03-01T13:00:00Z by alice"}},
		"it was denied":                              {is(decided), is(denied), []string{"Warning RoleDenied of orders/a: orders/a is Denied by bob: 100% no"}},
		"it has expired":                             {is(decided), is(role("a", v1alpha1.RoleExpired)), []string{"Warning RoleExpired of orders/a: orders/a is Expired"}},
		"the approval is gone":                       {is(decided), is(role("a", v1alpha1.RolePending)), []string{"Warning RoleWithdrawn of orders/a: orders/a is Pending"}},
		"the denial is gone":                         {is(denied), is(role("a", v1alpha1.RolePending)), []string{"Normal RoleWithdrawn of orders/a: orders/a is Pending"}},
		"the role is gone":                           {is(decided), is(role("a", v1alpha1.RoleNotFound)), []string{"Warning RoleWithdrawn of orders/a: orders/a is NotFound"}},
		"it is asked for no more":                    {is(decided), is(), nil},
		"a new client whose role was granted before": {state{}, is(role("a", v1alpha1.RoleGranted)), []string{"Normal RoleGranted of orders/a: orders/a is Granted; Ready it is"}},
		"several at once, the most severe first": {
			is(role("a", v1alpha1.RolePending), role("b", v1alpha1.RoleGranted)), is(role("a", v1alpha1.RoleGranted), role("b", v1alpha1.RoleDenied)),
			[]string{"Warning RoleDenied of orders/b: orders/b is Denied; orders/a is Granted"},
		},
		"the client itself stops": {is(decided), state{ready(metav1.ConditionFalse, v1alpha1.ReasonSuspended), is(decided).roles}, []string{"Warning Suspended of the client: Suspended it is"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := asking()
			status := func(s state) v1alpha1.OAuthClientStatus {
				out := v1alpha1.OAuthClientStatus{Roles: s.roles}
				if s.ready.Type != "" {
					// RolesGranted says nothing that the roles do not.
					out.Conditions = []metav1.Condition{s.ready, {Type: v1alpha1.ConditionRolesGranted, Status: "False", Reason: fmt.Sprint(len(s.roles))}}
				}
				return out
			}
			f.client.Status = status(test.before)
			after := f.client.DeepCopy()
			after.Status = status(test.after)
			for _, r := range test.after.roles {
				f.client.Spec.Roles = append(f.client.Spec.Roles, v1alpha1.RoleReference{Namespace: r.Namespace, Name: r.Name})
				role := roleFacts{}
				role.Role = &v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name}}
				f.roles = append(f.roles, role)
			}
			var events recorder
			(&reconciler{recorder: &events}).tell(f, after)
			if diff := cmp.Diff(test.want, events.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// An event's note has the length that the API takes, and one without a role has no
// related object.
func TestEventOfManyRoles(t *testing.T) {
	f := asking()
	after := f.client.DeepCopy()
	for i := range 128 {
		name := fmt.Sprint("role-", i)
		f.client.Spec.Roles = append(f.client.Spec.Roles, v1alpha1.RoleReference{Namespace: "orders", Name: name})
		f.roles = append(f.roles, roleFacts{}) // gone
		f.client.Status.Roles = append(f.client.Status.Roles, v1alpha1.ClientRoleStatus{Namespace: "orders", Name: name, State: v1alpha1.RoleGranted})
		after.Status.Roles = append(after.Status.Roles, v1alpha1.ClientRoleStatus{Namespace: "orders", Name: name, State: v1alpha1.RoleNotFound})
	}
	var events recorder
	(&reconciler{recorder: &events}).tell(f, after)
	want := corev1.EventTypeWarning + " RoleWithdrawn of the client: "
	if len(events.events) != 1 || !strings.HasPrefix(events.events[0], want) || len(events.events[0]) > len(want)+1024 {
		t.Errorf("events: %q", events.events)
	}
}
