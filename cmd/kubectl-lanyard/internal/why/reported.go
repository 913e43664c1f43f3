package why

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// facts are what the issuer's registry says of client and resource. What could not be
// looked at is replaced by what the objects' status reports: the controller judged that by
// the same rules, and nobody else may write it.
func (w *world) facts(known *registry.Registry, now time.Time) rules.Facts {
	f := known.Facts(w.client, w.identifier)
	if w.unseen[otherClients] != "" || w.unseen[theClientsNamespace] != "" {
		if v, ok := reported(w.client.Status.Conditions, w.client.Generation); ok {
			f.OnClient = v
		}
	}
	switch {
	case w.resource != nil && f.Resource != w.resource:
		// It does not hold its identifier. The issuer would speak of whoever does; the
		// question is about this one.
		f.OnResource = rules.Resource(w.resource, w.namespace(w.resource.Namespace), w.clusterDomain, f.Resource)
		f.Resource, f.Roles = w.resource, nil
		for _, role := range w.asked() {
			f.Roles = append(f.Roles, rules.RoleFacts{Role: role, OnRole: rules.Role(role, w.resource, f.OnResource, role)})
		}
	case w.resource == nil && w.unseen[theResource] != "":
		f.Resource, f.OnResource = w.reportedResource()
	}
	if w.resource != nil && w.unseen[otherResources] != "" {
		if v, ok := reported(w.resource.Status.Conditions, w.resource.Generation); ok {
			f.OnResource = v
		}
	}
	if f.Resource != nil && w.rolesUnseen() != "" {
		f.Roles = w.reportedRoles(f.Resource, now)
	}
	return f
}

// rolesUnseen is the permission that is missing to see how the client's roles stand; empty
// if none is.
func (w *world) rolesUnseen() string {
	for _, p := range []part{theResource, theRoles, theAssignments, theClientsNamespace} {
		if p == theClientsNamespace && !w.selects() {
			continue // its labels matter to selectors alone
		}
		if need := w.unseen[p]; need != "" {
			return need
		}
	}
	return ""
}

// selects says whether any assignment speaks of clients by their namespaces' labels.
func (w *world) selects() bool {
	for _, a := range w.assignments {
		if a.Spec.ClientRef == nil {
			return true
		}
	}
	return false
}

func (w *world) namespace(name string) *rules.Namespace {
	for _, ns := range w.namespaces {
		if ns.Name == name {
			return ns
		}
	}
	return nil
}

// asked are the roles of the resource that the client asks for.
func (w *world) asked() (roles []*v1alpha1.AppRole) {
	for _, ref := range w.client.Spec.Roles {
		for _, role := range w.roles {
			if role.Namespace == ref.Namespace && role.Name == ref.Name && role.Spec.ResourceRef.Name == w.resource.Name {
				roles = append(roles, role)
			}
		}
	}
	return roles
}

// reported is what the condition Ready says of an object as it is now.
func reported(conditions []metav1.Condition, generation int64) (rules.Verdict, bool) {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if c == nil || c.ObservedGeneration != generation {
		return rules.Verdict{}, false
	}
	return rules.Verdict{OK: c.Status == metav1.ConditionTrue, Reason: c.Reason, Message: c.Message}, true
}

// reportedResource is what the client's status lets one guess of a resource that may not
// be read: that it is there, and nothing of its rules. Nil if the client has no role on it.
func (w *world) reportedResource() (*v1alpha1.ProtectedResource, rules.Verdict) {
	for _, r := range w.client.Status.Roles {
		if r.Identifier == w.identifier && r.Identifier != "" {
			return &v1alpha1.ProtectedResource{
				ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: "(unseen)"},
				Spec: v1alpha1.ProtectedResourceSpec{
					Identifier: r.Identifier, Assignment: v1alpha1.AssignmentRequired, TokenBindingPolicy: v1alpha1.TokenBindingOptional,
				},
			}, rules.Verdict{OK: true, Reason: v1alpha1.ReasonReady}
		}
	}
	return nil, rules.Verdict{}
}

// reportedRoles are the client's roles on the resource as its status says that they stand.
func (w *world) reportedRoles(resource *v1alpha1.ProtectedResource, now time.Time) (out []rules.RoleFacts) {
	for _, r := range w.client.Status.Roles {
		if r.Namespace != resource.Namespace || r.Identifier != resource.Spec.Identifier {
			continue
		}
		role := rules.RoleFacts{
			Role: &v1alpha1.AppRole{
				ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name},
				Spec:       v1alpha1.AppRoleSpec{ResourceRef: v1alpha1.LocalReference{Name: resource.Name}, Value: r.Value},
			},
			OnRole: rules.Verdict{OK: r.State != v1alpha1.RoleNotFound, Reason: string(r.State)},
		}
		decision := &v1alpha1.AppRoleAssignment{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Assignment},
			Spec: v1alpha1.AppRoleAssignmentSpec{
				RoleRef:   v1alpha1.LocalReference{Name: r.Name},
				ClientRef: &v1alpha1.ClientReference{Namespace: w.key.Namespace, Name: w.key.Name},
				Decision:  v1alpha1.DecisionApproved, ExpiresAt: r.ExpiresAt,
			},
		}
		switch r.State {
		case v1alpha1.RoleDenied:
			decision.Spec.Decision, decision.Spec.ExpiresAt = v1alpha1.DecisionDenied, nil
		case v1alpha1.RoleExpired:
			if r.ExpiresAt == nil {
				decision.Spec.ExpiresAt = &metav1.Time{Time: now}
			}
		case v1alpha1.RolePending, v1alpha1.RoleNotFound:
			decision = nil
		case v1alpha1.RoleGranted:
		}
		if decision != nil {
			role.Assignments = []*v1alpha1.AppRoleAssignment{decision}
		}
		out = append(out, role)
	}
	return out
}
