package oauthclient

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

// news is one thing that has changed and is worth telling.
type news struct {
	warning      bool
	reason, note string
	// role is the role that it is about; nil: the client itself.
	role *v1alpha1.ClientRoleStatus
}

// order is the order in which news are told, the most severe first.
var order = [...]string{
	v1alpha1.ReasonRolesNotFound, v1alpha1.EventRoleDenied, v1alpha1.EventRoleExpired, v1alpha1.EventRoleWithdrawn, v1alpha1.EventRoleGranted,
}

// newsOf compares two statuses. That a role which is asked for anew waits is no news: it
// says so in the condition.
func newsOf(before, after v1alpha1.OAuthClientStatus) []news {
	var all []news
	type name struct{ namespace, name string }
	was := map[name]v1alpha1.RoleState{}
	for _, r := range before.Roles {
		was[name{r.Namespace, r.Name}] = r.State
	}
	for _, r := range after.Roles {
		if n, ok := newsOfRole(was[name{r.Namespace, r.Name}], r); ok {
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(a, b news) int {
		return slices.Index(order[:], a.reason) - slices.Index(order[:], b.reason)
	})
	for _, c := range status.Changed(before.Conditions, after.Conditions) {
		switch n := (news{reason: c.Reason, note: c.Message}); {
		case c.Type != v1alpha1.ConditionReady: // the roles say it themselves
		case c.Status == metav1.ConditionTrue:
			all = append(all, n)
		default:
			n.warning = true
			all = slices.Insert(all, 0, n)
		}
	}
	return all
}

// newsOfRole compares how a role stood with how it stands. It stood in no way if it was
// not asked for.
func newsOfRole(was v1alpha1.RoleState, r v1alpha1.ClientRoleStatus) (news, bool) {
	n := news{note: r.Namespace + "/" + r.Name + " is " + string(r.State), role: &r}
	if r.State == was {
		return n, false
	}
	if r.State == v1alpha1.RoleGranted && r.ExpiresAt != nil {
		n.note += " until " + r.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if r.DecidedBy != "" {
		n.note += " by " + r.DecidedBy
	}
	if r.Message != "" {
		n.note += ": " + r.Message
	}
	decided := was == v1alpha1.RoleGranted || was == v1alpha1.RoleDenied || was == v1alpha1.RoleExpired
	switch {
	case r.State == v1alpha1.RoleGranted:
		n.reason = v1alpha1.EventRoleGranted
	case r.State == v1alpha1.RoleDenied:
		n.reason, n.warning = v1alpha1.EventRoleDenied, true
	case r.State == v1alpha1.RoleExpired:
		n.reason, n.warning = v1alpha1.EventRoleExpired, true
	case decided:
		n.reason, n.warning = v1alpha1.EventRoleWithdrawn, was == v1alpha1.RoleGranted
	case r.State == v1alpha1.RoleNotFound:
		n.reason, n.warning = v1alpha1.ReasonRolesNotFound, true
	default:
		return n, false
	}
	return n, true
}

// tell makes one event of everything that one look has found, under the reason of the
// most severe: a change costs an object one event, however many roles it touches.
func (r *reconciler) tell(f facts, after *v1alpha1.OAuthClient) {
	all := newsOf(f.client.Status, after.Status)
	if len(all) == 0 {
		return
	}
	eventType, notes := corev1.EventTypeNormal, make([]string, len(all))
	if all[0].warning {
		eventType = corev1.EventTypeWarning
	}
	for i, n := range all {
		notes[i] = n.note
	}
	note := status.Cut(strings.Join(notes, "; "), status.MaxNote)
	if role := f.roleOf(all); role != nil {
		r.recorder.Eventf(after, role, eventType, all[0].reason, "SetRoles", "%s", note)
		return
	}
	r.recorder.Eventf(after, nil, eventType, all[0].reason, "SetCondition", "%s", note)
}

// roleOf is the first role that the news are about; nil: none, or it is gone.
func (f facts) roleOf(all []news) *v1alpha1.AppRole {
	for _, n := range all {
		if n.role == nil {
			continue
		}
		i := slices.Index(f.client.Spec.Roles, v1alpha1.RoleReference{Namespace: n.role.Namespace, Name: n.role.Name})
		if i >= 0 {
			return f.roles[i].Role
		}
	}
	return nil
}
