package why

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// asker is the client. Of one that may not be read the name alone is known, and that
// whoever asks is near what it asks for.
func (w *world) asker(q *question) *v1alpha1.OAuthClient {
	if w.client != nil {
		return w.client
	}
	c := &v1alpha1.OAuthClient{}
	c.Namespace, c.Name = w.key.Namespace, w.key.Name
	if !q.byIdentifier() || namespaceOf(q.resource) == "" {
		c.Spec.Roles = []v1alpha1.RoleReference{{Namespace: q.namespace}}
	}
	return c
}

// ofOwner is the answer to an API's owner who may not read the client: what can be told
// from the API's side, and whom to ask for the rest.
func (w *world) ofOwner(r *Report, q *question, now time.Time) *Report {
	side := *w
	side.client = w.asker(q)
	facts := side.facts(side.registry(), now)
	_, ask, _ := q.ask(cmpOr(w.identifier, q.resource))
	judged := map[rules.StepName]rules.Step{}
	steps, _ := rules.Explain(facts, rules.Request{GrantType: q.grantType, Ask: ask}, now)
	for _, s := range steps {
		judged[s.Name] = s
	}
	r.Ask = "kubectl lanyard why " + r.Client + " " + cmpOr(w.identifier, q.resource)

	r.add(Step{Name: string(rules.StepClient), Verdict: Unknown, Message: couldNotLook(w.unseen[theClient])})
	for _, name := range []rules.StepName{
		stepAuthentication, rules.StepGrantType, rules.StepResource, rules.StepRoles, rules.StepSuspension, rules.StepCertificate, rules.StepBinding, rules.StepLifetime,
	} {
		var step Step
		switch name {
		case rules.StepResource:
			step = side.resourceOfOwner(q, judged[name], facts)
		case rules.StepSuspension:
			step = side.soften(judged[name], facts)
		case rules.StepRoles:
			r.Roles, step = w.rolesOfOwner(facts, now)
		case stepAuthentication, rules.StepClient, rules.StepGrantType, rules.StepCertificate, rules.StepBinding, rules.StepLifetime:
			step = Step{Name: string(name), Verdict: NotReached, Message: "it rests on the client, which could not be looked at"}
		}
		r.add(step)
	}
	r.conclude()
	r.Try = try(r)
	return r
}

func (w *world) resourceOfOwner(q *question, s rules.Step, f rules.Facts) Step {
	if need := w.unseen[theResource]; need != "" {
		return Step{Name: string(s.Name), Verdict: Unknown, Message: couldNotLook(need)}
	}
	return w.named(q, w.soften(s, f), f)
}

// rolesOfOwner says of each role of the resource what the decisions on it, and its status,
// say of a client that may not be read. Which of them it asks for is not known.
func (w *world) rolesOfOwner(f rules.Facts, now time.Time) ([]Role, Step) {
	step := Step{Name: string(rules.StepRoles), Verdict: NotReached, Message: "there is no resource to ask it of"}
	need := cmpOr(w.unseen[theRoles], w.unseen[theAssignments])
	switch {
	case f.Resource == nil:
		return nil, step
	case need != "":
		step.Verdict, step.Message = Unknown, couldNotLook(need)
		return nil, step
	}
	var roles []Role
	for _, role := range w.roles {
		if role.Spec.ResourceRef.Name == f.Resource.Name && role.Namespace == f.Resource.Namespace {
			roles = append(roles, w.roleOfOwner(role, f, now))
		}
	}
	step.Verdict = Unknown
	step.Message = "which roles the client asks for could not be looked at; what its name alone says of each:"
	if len(roles) == 0 {
		step.Message = "the resource has no roles, and what the client asks for could not be looked at"
	}
	return roles, step
}

// roleUnknown is the state of a role where it cannot be told.
const roleUnknown = "Unknown"

func (w *world) roleOfOwner(role *v1alpha1.AppRole, f rules.Facts, now time.Time) Role {
	c := &v1alpha1.OAuthClient{}
	c.Namespace, c.Name = w.key.Namespace, w.key.Name
	var ns *rules.Namespace // nil: its labels are not known
	if w.unseen[theClientsNamespace] == "" {
		ns = w.namespace(w.key.Namespace)
	}
	judged, open := w.decisions(role, ns)
	g := rules.GrantOf(c, ns, role, rules.Role(role, f.Resource, f.OnResource, w.holder(role)), judged, now)
	out := Role{
		Name: role.Namespace + "/" + role.Name, Value: role.Spec.Value,
		State: string(g.State), Assignment: g.Assignment, Message: g.Message,
	}
	if !g.ExpiresAt.IsZero() {
		out.ExpiresAt = &g.ExpiresAt
	}
	for _, a := range judged {
		if a.Name == g.Assignment && a.Spec.DecidedBy != "" {
			out.Message = join("decided by "+a.Spec.DecidedBy, out.Message)
		}
	}
	switch g.State {
	case v1alpha1.RoleDenied, v1alpha1.RoleNotFound:
		return out
	case v1alpha1.RolePending:
		if waits(role, w.key) {
			out.Message = "the client asks for it and waits for a decision"
			return out // the controller has weighed every decision, and none is about it
		}
		out.State, out.Message = roleUnknown, undecided(role, len(open) > 0)
	case v1alpha1.RoleGranted, v1alpha1.RoleExpired:
	}
	for _, a := range open {
		verb, needs := "denies", "the labels of namespace "+w.key.Namespace
		if a.Spec.Decision == v1alpha1.DecisionApproved {
			verb = "approves"
			if g.State == v1alpha1.RoleGranted {
				continue // it has the role already
			}
		}
		if ns != nil {
			needs = "the client's labels"
		}
		out.State = roleUnknown
		out.Message = join(out.Message, fmt.Sprintf("AppRoleAssignment %s/%s %s it by a selector, and to tell whether for this client needs %s", a.Namespace, a.Name, verb, needs))
	}
	return out
}

// undecided says of a role that no decision names the client, nor the role's status.
// selected says that a selector may speak of it.
func undecided(role *v1alpha1.AppRole, selected bool) string {
	text := "no AppRoleAssignment names the client, and it "
	listed := len(role.Status.Pending)
	switch all := int(ptr.Deref(role.Status.PendingCount, 0)); {
	case all > listed:
		return text + fmt.Sprintf("is none of the %d that are listed of the %d that wait", listed, all)
	case selected:
		return text + "does not wait for the role"
	}
	return text + "does not wait for the role: it does not ask for it, or is not there"
}

// decisions are the assignments of a role that can be judged without the client, and those
// whose selector may speak of it or not. ns is the client's namespace; nil: not known.
func (w *world) decisions(role *v1alpha1.AppRole, ns *rules.Namespace) (judged, open []*v1alpha1.AppRoleAssignment) {
	for _, a := range w.assignments {
		if a.Namespace != role.Namespace || a.Spec.RoleRef.Name != role.Name {
			continue
		}
		s := a.Spec.ClientSelector
		byLabels := s != nil && s.LabelSelector != nil && a.Spec.Decision == v1alpha1.DecisionApproved
		if a.Spec.ClientRef == nil && (ns == nil || byLabels && rules.CoversIn(a, ns)) {
			open = append(open, a)
		} else {
			judged = append(judged, a)
		}
	}
	return judged, open
}

// holder is the oldest role of the same resource with the same value.
func (w *world) holder(role *v1alpha1.AppRole) *v1alpha1.AppRole {
	oldest := role
	for _, other := range w.roles {
		same := other.Namespace == role.Namespace && other.Spec.ResourceRef.Name == role.Spec.ResourceRef.Name && other.Spec.Value == role.Spec.Value
		if same && rules.Older(other, oldest) {
			oldest = other
		}
	}
	return oldest
}

// waits says whether the client with a name is listed as waiting for role.
func waits(role *v1alpha1.AppRole, name types.NamespacedName) bool {
	return slices.ContainsFunc(role.Status.Pending, func(c v1alpha1.ClientReference) bool {
		return c.Namespace == name.Namespace && c.Name == name.Name
	})
}
