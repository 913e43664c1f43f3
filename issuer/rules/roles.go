package rules

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// Role says whether r works: its resource exists and is allowed, and no older
// role of the resource has the same value. A suspended resource is no fault of the
// role. resource is nil if there is none; holder is the oldest role of the resource
// with the same value.
func Role(r *v1alpha1.AppRole, resource *v1alpha1.ProtectedResource, onResource Verdict, holder *v1alpha1.AppRole) Verdict {
	switch {
	case resource == nil:
		return refused(v1alpha1.ReasonResourceNotFound, fmt.Sprintf(
			"spec.resourceRef names no ProtectedResource %q in namespace %s; create it", r.Spec.ResourceRef.Name, r.Namespace))
	case !onResource.OK && onResource.Reason != v1alpha1.ReasonSuspended:
		return refused(v1alpha1.ReasonResourceNotReady, fmt.Sprintf(
			"ProtectedResource %s does not work (%s): %s", resource.Name, onResource.Reason, onResource.Message))
	case holder == nil || !same(holder, r):
		return refused(v1alpha1.ReasonConflict, fmt.Sprintf(
			"the value %q is held by the older AppRole %s of the same resource; use another one", r.Spec.Value, name(holder)))
	default:
		return works("the role can be granted")
	}
}

// Assignment says whether a is in force. role is the AppRole that it names, nil if
// there is none.
func Assignment(a *v1alpha1.AppRoleAssignment, role *v1alpha1.AppRole, now time.Time) Verdict {
	switch {
	case role == nil:
		return refused(v1alpha1.ReasonRoleNotFound, fmt.Sprintf(
			"spec.roleRef names no AppRole %q in namespace %s; an assignment lives in the namespace of its role: create the role there, or the assignment beside it", a.Spec.RoleRef.Name, a.Namespace))
	case !readable(a.Spec.ClientSelector):
		return refused(v1alpha1.ReasonSelectorInvalid,
			"spec.clientSelector cannot be read; see the label selectors of Kubernetes. Until then an approval covers nobody, and a denial everybody")
	case expired(a, now):
		return refused(v1alpha1.ReasonExpired, fmt.Sprintf(
			"spec.expiresAt %s has passed; set a later time to approve again", a.Spec.ExpiresAt.UTC().Format(time.RFC3339)))
	case a.Spec.Decision != v1alpha1.DecisionApproved:
		return works("the denial is in force")
	default:
		return works("the approval is in force")
	}
}

// expired says whether approval a has ended. A denial never does by itself.
func expired(a *v1alpha1.AppRoleAssignment, now time.Time) bool {
	return a.Spec.Decision == v1alpha1.DecisionApproved && a.Spec.ExpiresAt != nil && !now.Before(a.Spec.ExpiresAt.Time)
}

func readable(s *v1alpha1.ClientSelector) bool {
	if s == nil {
		return true
	}
	for _, ls := range []*metav1.LabelSelector{&s.NamespaceSelector, s.LabelSelector} {
		if _, err := metav1.LabelSelectorAsSelector(ls); err != nil {
			return false
		}
	}
	return true
}

// Covers says whether a speaks of client c, whose namespace is ns. What cannot be
// read fails closed: such an approval covers nobody, such a denial everybody.
func Covers(a *v1alpha1.AppRoleAssignment, c *v1alpha1.OAuthClient, ns *Namespace) bool {
	if ref := a.Spec.ClientRef; ref != nil {
		return ref.Namespace == c.Namespace && ref.Name == c.Name
	}
	if !CoversIn(a, ns) {
		return false
	}
	if denies(a) || a.Spec.ClientSelector.LabelSelector == nil {
		// A denial that looked at the client's own labels could be labelled away.
		return true
	}
	return selects(a, a.Spec.ClientSelector.LabelSelector, c.Labels)
}

// CoversIn says whether a, which names its clients by a selector, can speak of clients
// of namespace ns at all: whom it does not cover by the namespace, it does not cover.
func CoversIn(a *v1alpha1.AppRoleAssignment, ns *Namespace) bool {
	s := a.Spec.ClientSelector
	if s == nil || ns == nil {
		return denies(a)
	}
	if len(s.NamespaceSelector.MatchLabels)+len(s.NamespaceSelector.MatchExpressions) == 0 {
		return denies(a) // an empty selector would be everybody; the schema refuses it
	}
	return selects(a, &s.NamespaceSelector, ns.Labels)
}

func denies(a *v1alpha1.AppRoleAssignment) bool {
	return a.Spec.Decision != v1alpha1.DecisionApproved
}

// selects says whether selector s of a selects what has these labels, and fails closed
// where s cannot be read.
func selects(a *v1alpha1.AppRoleAssignment, s *metav1.LabelSelector, set map[string]string) bool {
	if len(s.MatchExpressions) == 0 {
		// Most selectors are no more than labels, and reading one as Kubernetes does costs
		// more than the rest of a decision. What an object really has can be read.
		equal := hasAll(set, s.MatchLabels)
		if equal || !denies(a) {
			return equal
		}
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return denies(a)
	}
	return selector.Matches(labels.Set(set))
}

// hasAll says whether set has all labels of want.
func hasAll(set, want map[string]string) bool {
	for key, value := range want {
		if got, ok := set[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// Grant says how a role that a client asks for stands.
type Grant struct {
	State v1alpha1.RoleState
	// Assignment is the name of the AppRoleAssignment that decided, in the role's
	// namespace; empty if none did.
	Assignment string
	// ExpiresAt is when the approval that counts ends; zero: never. Of several
	// approvals the one that lasts longest counts.
	ExpiresAt time.Time
	// Message says what to do where the role is not granted.
	Message string
}

// GrantOf decides whether client c, whose namespace is ns, has role. assignments
// are those that name the role; those that do not cover c are passed over. It does
// not look at whether c asks for the role.
func GrantOf(c *v1alpha1.OAuthClient, ns *Namespace, role *v1alpha1.AppRole, onRole Verdict, assignments []*v1alpha1.AppRoleAssignment, now time.Time) Grant {
	if role == nil {
		return Grant{State: v1alpha1.RoleNotFound, Message: "there is no such AppRole; correct spec.roles, or have the API's owner create it"}
	}
	if !onRole.OK {
		return Grant{State: v1alpha1.RoleNotFound, Message: "the AppRole does not work (" + onRole.Reason + "); its owner sees why"}
	}
	// Which of several is named must not depend on the order of a list, or status
	// would be written again at each look.
	var denial, approval, past *v1alpha1.AppRoleAssignment
	for _, a := range assignments {
		switch {
		case a.Namespace != role.Namespace || a.Spec.RoleRef.Name != role.Name || !Covers(a, c, ns):
		case a.Spec.Decision != v1alpha1.DecisionApproved:
			if denial == nil || a.Name < denial.Name {
				denial = a
			}
		case expired(a, now):
			if past == nil || lasts(a, past) {
				past = a
			}
		case approval == nil || lasts(a, approval):
			approval = a
		}
	}
	switch {
	case denial != nil:
		message := "the API's owner denied the role with AppRoleAssignment " + name(denial)
		if why := strings.Join(strings.Fields(denial.Spec.Reason), " "); why != "" {
			message += ": " + why // on one line: it is another team's text
		}
		return Grant{State: v1alpha1.RoleDenied, Assignment: denial.Name, Message: message}
	case approval != nil:
		g := Grant{State: v1alpha1.RoleGranted, Assignment: approval.Name}
		if approval.Spec.ExpiresAt != nil {
			g.ExpiresAt = approval.Spec.ExpiresAt.Time
		}
		return g
	case past != nil:
		return Grant{
			State: v1alpha1.RoleExpired, Assignment: past.Name, ExpiresAt: past.Spec.ExpiresAt.Time,
			Message: "the approval in AppRoleAssignment " + name(past) + " has expired; ask the API's owner to renew it",
		}
	default:
		return Grant{State: v1alpha1.RolePending, Message: fmt.Sprintf(
			"waits for the API's owner to create an AppRoleAssignment in namespace %s for role %s", role.Namespace, role.Name)}
	}
}

// lasts says whether approval a counts before b: the one that lasts longer, then
// the smaller name, so that the choice does not depend on the order of a list.
func lasts(a, b *v1alpha1.AppRoleAssignment) bool {
	ae, be := a.Spec.ExpiresAt, b.Spec.ExpiresAt
	switch {
	case ae == nil && be == nil, ae != nil && be != nil && ae.Equal(be):
		return a.Name < b.Name
	case ae == nil || be == nil:
		return ae == nil
	default:
		return be.Before(ae)
	}
}
