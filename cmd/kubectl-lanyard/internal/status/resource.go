package status

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// resourceReport is how a ProtectedResource stands.
type resourceReport struct {
	object
	Identifier          string                      `json:"identifier"`
	Ready               condition                   `json:"ready"`
	Assignment          v1alpha1.Assignment         `json:"assignment"`
	TokenBindingPolicy  v1alpha1.TokenBindingPolicy `json:"tokenBindingPolicy"`
	AccessTokenLifetime string                      `json:"accessTokenLifetime,omitempty"`
	Suspended           bool                        `json:"suspended,omitempty"`
	Roles               []appRole                   `json:"roles"`
	consent
}

// roleReport is how an AppRole stands.
type roleReport struct {
	object
	Description string    `json:"description,omitempty"`
	Resource    string    `json:"resource"`
	Identifier  string    `json:"identifier,omitempty"`
	Value       string    `json:"value"`
	Ready       condition `json:"ready"`
	Granted     int32     `json:"granted"`
	Pending     int32     `json:"pending"`
	consent
}

// consent is what was decided about roles, and by whom.
type consent struct {
	Decisions []decision `json:"decisions"`
	Waiting   []waiting  `json:"waiting"`
	// MoreWaiting is how many wait beside those.
	MoreWaiting int32     `json:"moreWaiting,omitempty"`
	Problems    []problem `json:"problems"`
	Events      []event   `json:"events"`
}

// appRole is a role of the resource.
type appRole struct {
	Name        string    `json:"name"`
	DisplayName string    `json:"displayName,omitempty"`
	Value       string    `json:"value"`
	Ready       condition `json:"ready"`
	Granted     int32     `json:"granted"`
	Pending     int32     `json:"pending"`
}

// decision is an AppRoleAssignment.
type decision struct {
	Assignment string            `json:"assignment"`
	Role       string            `json:"role"`
	Clients    string            `json:"clients"`
	Decision   v1alpha1.Decision `json:"decision"`
	// InForce is whether it decides anything now.
	InForce bool `json:"inForce"`
	// Covered is how many clients ask for the role and are spoken of.
	Covered   int32        `json:"covered"`
	Why       string       `json:"why,omitempty"`
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	DecidedBy string       `json:"decidedBy,omitempty"`
	DecidedAt *metav1.Time `json:"decidedAt,omitempty"`
}

// waiting is a client that waits for a decision.
type waiting struct {
	Role    string `json:"role"`
	Client  string `json:"client"`
	Approve string `json:"approve"`
}

// apiFacts is what was read of the API's side.
type apiFacts struct {
	resource *v1alpha1.ProtectedResource
	// roles and assignments are those of the namespace.
	roles       []v1alpha1.AppRole
	assignments []v1alpha1.AppRoleAssignment
	events      []corev1.Event
}

func reportResource(f apiFacts, now time.Time) resourceReport {
	p := f.resource
	r := resourceReport{
		object:     object{"ProtectedResource", p.Namespace, p.Name, ""},
		Identifier: p.Spec.Identifier, Ready: readyOf(p.Status.Conditions),
		Assignment: p.Spec.Assignment, TokenBindingPolicy: p.Spec.TokenBindingPolicy,
		AccessTokenLifetime: life(p.Spec.AccessTokenLifetime), Suspended: p.Spec.Suspend,
	}
	r.Problems = amiss("", p, p.Status.ObservedGeneration, p.Status.Conditions)
	roles := slices.DeleteFunc(slices.Clone(f.roles), func(role v1alpha1.AppRole) bool { return role.Spec.ResourceRef.Name != p.Name })
	for i := range roles {
		role := &roles[i]
		r.Roles = append(r.Roles, appRole{
			Name: role.Name, DisplayName: role.Spec.DisplayName, Value: role.Spec.Value, Ready: readyOf(role.Status.Conditions),
			Granted: ptr.Deref(role.Status.GrantedCount, 0), Pending: ptr.Deref(role.Status.PendingCount, 0),
		})
		r.Problems = append(r.Problems, amiss("AppRole/"+role.Name, role, role.Status.ObservedGeneration, role.Status.Conditions)...)
	}
	if len(roles) == 0 && p.Spec.Assignment != v1alpha1.AssignmentOptional {
		r.Problems = append(r.Problems, problem{"", "it has no AppRole, and spec.assignment is Required: nobody can get a token for it; create an AppRole, or set assignment: Optional"})
	}
	r.Roles = list(r.Roles)
	r.add(roles, f, now, map[string]types.UID{"ProtectedResource/" + p.Name: p.UID})
	return r
}

func reportRole(role *v1alpha1.AppRole, f apiFacts, now time.Time) roleReport {
	r := roleReport{
		object:      object{"AppRole", role.Namespace, role.Name, role.Spec.DisplayName},
		Description: role.Spec.Description, Resource: role.Spec.ResourceRef.Name, Value: role.Spec.Value,
		Ready:   readyOf(role.Status.Conditions),
		Granted: ptr.Deref(role.Status.GrantedCount, 0), Pending: ptr.Deref(role.Status.PendingCount, 0),
	}
	if f.resource != nil {
		r.Identifier = f.resource.Spec.Identifier
	}
	r.Problems = amiss("", role, role.Status.ObservedGeneration, role.Status.Conditions)
	r.add([]v1alpha1.AppRole{*role}, f, now, map[string]types.UID{})
	return r
}

// add tells what was decided about roles, who waits for them, and what went wrong with
// them and with about, which has other objects by Kind/name.
func (c *consent) add(roles []v1alpha1.AppRole, f apiFacts, now time.Time, about map[string]types.UID) {
	named := map[string]bool{}
	for i := range roles {
		role := &roles[i]
		about["AppRole/"+role.Name], named[role.Name] = role.UID, true
		for _, p := range role.Status.Pending {
			client := p.Namespace + "/" + p.Name
			c.Waiting = append(c.Waiting, waiting{role.Name, client, approveCommand(client, role)})
		}
		c.MoreWaiting += max(ptr.Deref(role.Status.PendingCount, 0)-int32(min(len(role.Status.Pending), 50)), 0)
	}
	for i := range f.assignments {
		a := &f.assignments[i]
		if !named[a.Spec.RoleRef.Name] {
			continue
		}
		about["AppRoleAssignment/"+a.Name] = a.UID
		c.Decisions = append(c.Decisions, decisionOf(a, now))
	}
	slices.SortStableFunc(c.Decisions, func(a, b decision) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Clients, b.Clients), strings.Compare(a.Assignment, b.Assignment))
	})
	c.Decisions, c.Waiting, c.Problems = list(c.Decisions), list(c.Waiting), list(c.Problems)
	c.Events = eventsOf(f.events, about)
}

// approveCommand is what the role's owner types.
func approveCommand(client string, role *v1alpha1.AppRole) string {
	return "kubectl lanyard approve " + client + " " + role.Namespace + "/" + role.Name
}

func decisionOf(a *v1alpha1.AppRoleAssignment, now time.Time) decision {
	d := decision{
		Assignment: a.Name, Role: a.Spec.RoleRef.Name, Clients: clientsOf(a.Spec), Decision: a.Spec.Decision,
		ExpiresAt: a.Spec.ExpiresAt, Reason: a.Spec.Reason, DecidedBy: a.Spec.DecidedBy, DecidedAt: a.Spec.DecidedAt,
		Covered: ptr.Deref(a.Status.ClientCount, 0),
	}
	ready := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case a.Spec.ExpiresAt != nil && !now.Before(a.Spec.ExpiresAt.Time): // at once, whatever the status still says
		d.Why = v1alpha1.ReasonExpired
	case ready == nil:
		d.Why = "not seen by the controller yet"
	case ready.Status != metav1.ConditionTrue:
		d.Why = ready.Reason
	default:
		d.InForce = true
	}
	return d
}

// clientsOf names the clients that an assignment speaks of.
func clientsOf(s v1alpha1.AppRoleAssignmentSpec) string {
	if s.ClientRef != nil {
		return s.ClientRef.Namespace + "/" + s.ClientRef.Name
	}
	if s.ClientSelector == nil {
		return ""
	}
	text := "namespaces " + metav1.FormatLabelSelector(&s.ClientSelector.NamespaceSelector)
	if labels := s.ClientSelector.LabelSelector; labels != nil {
		text += ", clients " + metav1.FormatLabelSelector(labels)
	}
	return text
}
