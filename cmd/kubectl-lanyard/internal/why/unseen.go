package why

import (
	"fmt"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// soften takes back what a step of rules.Explain cannot know, because what it rests on
// could not be looked at: a yes is unknown then. A no that the client's own status reports
// stays one.
func (w *world) soften(s rules.Step, f rules.Facts) Step {
	out := Step{Name: string(s.Name), Verdict: Verdict(s.Verdict), Message: s.Message}
	if s.Refusal != nil {
		out.Number = int(s.Refusal.Number)
	}
	unknown := func(need string, also ...string) Step {
		return Step{Name: out.Name, Verdict: Unknown, Message: join(append([]string{couldNotLook(need)}, also...)...)}
	}
	noResource := w.unseen[theResource]
	switch s.Name {
	case rules.StepClient:
		return w.softenClient(out)
	case rules.StepResource:
		switch {
		case noResource != "" && f.Resource != nil:
			return unknown(noResource, "the client's status knows of a role on "+f.Resource.Spec.Identifier)
		case noResource != "":
			return unknown(noResource, "the client's status knows of no role on it")
		}
		return w.softenConflict(out)
	case rules.StepRoles:
		return w.softenRoles(out, f, unknown)
	case rules.StepSuspension:
		if noResource != "" && f.Resource != nil {
			return unknown(noResource)
		}
	case rules.StepCertificate, rules.StepBinding:
		switch need := w.unseen[theCertificates]; {
		case need != "" && out.Verdict == Refused && f.Client.Spec.TokenBinding == v1alpha1.TokenBindingMTLS,
			need != "" && out.Verdict == Refused && s.Name == rules.StepCertificate:
			return unknown(need)
		case s.Name == rules.StepBinding && noResource != "" && out.Verdict == Passed && f.Client.Spec.TokenBinding == v1alpha1.TokenBindingNone:
			return unknown(noResource, "the resource may accept bound tokens only (spec.tokenBindingPolicy), and the client's spec.tokenBinding is None")
		}
	case rules.StepGrantType, rules.StepLifetime:
		if s.Name == rules.StepLifetime && noResource != "" && out.Verdict == Passed {
			out.Message = "at most " + out.Message + "; the resource may make it shorter"
		}
	}
	return out
}

// softenClient says where the client's own status had to stand in.
func (w *world) softenClient(s Step) Step {
	need := cmpOr(w.unseen[theClientsNamespace], w.unseen[otherClients])
	if need == "" {
		return s
	}
	if _, ok := reported(w.client.Status.Conditions, w.client.Generation); !ok && s.Verdict == Passed {
		s.Verdict = Unknown
		s.Message = couldNotLook(need)
		return s
	}
	s.Message = join(s.Message, "as its status says, "+couldNotLook(need))
	return s
}

// softenConflict says where the resource's own status had to stand in.
func (w *world) softenConflict(s Step) Step {
	need := w.unseen[otherResources]
	if need == "" || w.resource == nil {
		if need != "" && s.Verdict == Refused {
			return Step{Name: s.Name, Verdict: Unknown, Message: join(couldNotLook(need), "it is not where it was looked for")}
		}
		return s
	}
	if _, ok := reported(w.resource.Status.Conditions, w.resource.Generation); !ok && s.Verdict == Passed {
		return Step{Name: s.Name, Verdict: Unknown, Message: couldNotLook(need)}
	}
	s.Message = join(s.Message, "whether another holds it is as its status says, "+couldNotLook(need))
	return s
}

func (w *world) softenRoles(s Step, f rules.Facts, unknown func(string, ...string) Step) Step {
	need := w.rolesUnseen()
	switch {
	case need == "" || s.Verdict == NotReached:
		return s
	case len(f.Roles) == 0 && w.asksIn(f.Resource.Namespace):
		return unknown(need, "and the client's status says nothing of roles on it")
	case s.Verdict == Passed:
		return unknown(need, "the client's status says: "+s.Message)
	default:
		s.Message = join("the client's status says: "+s.Message, couldNotLook(need))
		return s
	}
}

// asksIn says whether the client asks for any role of a namespace.
func (w *world) asksIn(namespace string) bool {
	for _, ref := range w.client.Spec.Roles {
		if ref.Namespace == namespace {
			return true
		}
	}
	return false
}

// rolesOf says how each role stands that the client asks for where the resource is, also
// those that are another resource's, or nobody's.
func (w *world) rolesOf(f rules.Facts, now time.Time) (out []Role) {
	if f.Resource == nil {
		return nil
	}
	told := map[string]bool{}
	for _, g := range rules.Grants(f, now) {
		role := Role{
			Name: g.Role.Namespace + "/" + g.Role.Name, Value: g.Role.Spec.Value,
			State: string(g.State), Assignment: g.Assignment, Message: g.Message,
		}
		if !g.ExpiresAt.IsZero() {
			role.ExpiresAt = &g.ExpiresAt
		}
		told[role.Name] = true
		out = append(out, role)
	}
	if w.rolesUnseen() != "" {
		return out
	}
	for _, ref := range w.client.Spec.Roles {
		name := ref.Namespace + "/" + ref.Name
		if ref.Namespace != f.Resource.Namespace || told[name] {
			continue
		}
		role := Role{Name: name, State: string(v1alpha1.RoleNotFound), Message: "there is no such AppRole; correct spec.roles, or have the API's owner create it"}
		for _, other := range w.roles {
			if other.Name == ref.Name {
				role.State, role.Value = "OtherResource", other.Spec.Value
				role.Message = fmt.Sprintf("it is a role of ProtectedResource %s/%s, and gives nothing on this one", other.Namespace, other.Spec.ResourceRef.Name)
			}
		}
		out = append(out, role)
	}
	return out
}
