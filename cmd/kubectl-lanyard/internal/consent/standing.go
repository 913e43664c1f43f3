package consent

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/utils/ptr"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// standing is how a client stands with a role after a decision.
type standing struct {
	// settled is whether the controller has seen the decision, so that nothing more is to
	// be waited for.
	settled bool
	// text says it; empty: nothing is known.
	text string
	// good is whether the client stands as was decided.
	good bool
}

// standingOf says how the client of w stands. c is the client, nil where it may not be
// read or is not there; decided are the assignments that speak of it alone.
func standingOf(w wish, c *v1alpha1.OAuthClient, decided []*v1alpha1.AppRoleAssignment) standing {
	seen := !slices.ContainsFunc(decided, func(a *v1alpha1.AppRoleAssignment) bool { return a.Status.ObservedGeneration < a.Generation })
	if c == nil {
		return unread(w, decided, seen)
	}
	asks := slices.ContainsFunc(c.Spec.Roles, func(r v1alpha1.RoleReference) bool {
		return r.Namespace == w.role.Namespace && r.Name == w.role.Name
	})
	if !asks {
		return standing{true, fmt.Sprintf("client %s does not ask for the role; the decision holds once its spec.roles has {namespace: %s, name: %s}", w.client, w.role.Namespace, w.role.Name), false}
	}
	want := v1alpha1.RoleGranted
	if w.decision != v1alpha1.DecisionApproved {
		want = v1alpha1.RoleDenied
	}
	for _, r := range c.Status.Roles {
		if r.Namespace != w.role.Namespace || r.Name != w.role.Name {
			continue
		}
		s := standing{settled: seen && r.State == want, text: fmt.Sprintf("for client %s the role is %s", w.client, r.State), good: r.State == want}
		if r.Message != "" {
			s.text += ": " + r.Message
		}
		return s
	}
	return standing{}
}

// unread goes by what the assignments' own status says.
func unread(w wish, decided []*v1alpha1.AppRoleAssignment, seen bool) standing {
	if !seen {
		return standing{}
	}
	asking := slices.ContainsFunc(decided, func(a *v1alpha1.AppRoleAssignment) bool { return ptr.Deref(a.Status.ClientCount, 0) > 0 })
	if !asking {
		return standing{true, fmt.Sprintf("no client %s asks for the role yet, as far as Lanyard's controller knows; the decision holds once it does", w.client), false}
	}
	return standing{true, fmt.Sprintf("client %s asks for the role, and the decision is in force", w.client), true}
}

// lasting is the assignment that lasts longest: of several approvals it is what counts.
func lasting(all []*v1alpha1.AppRoleAssignment) *v1alpha1.AppRoleAssignment {
	return slices.MaxFunc(all, func(a, b *v1alpha1.AppRoleAssignment) int {
		switch x, y := a.Spec.ExpiresAt, b.Spec.ExpiresAt; {
		case x == nil && y == nil:
			return 0
		case x == nil:
			return 1
		case y == nil:
			return -1
		default:
			return x.Compare(y.Time)
		}
	})
}

// sentence says what was decided.
func sentence(w wish, role *v1alpha1.AppRole, a *v1alpha1.AppRoleAssignment, now time.Time) string {
	verb := "approved"
	if a.Spec.Decision != v1alpha1.DecisionApproved {
		verb = "denied"
	}
	text := fmt.Sprintf("%s: client %s, role %s (%s)", verb, w.client, w.role, role.Spec.Value)
	if ends := a.Spec.ExpiresAt; ends != nil {
		text += fmt.Sprintf(", until %s (%s)", ends.UTC().Format(time.RFC3339), cli.When(ends.Time, now))
	}
	if a.Spec.DecidedBy != "" {
		text += ", by " + a.Spec.DecidedBy
	}
	if a.Spec.Reason != "" {
		text += ": " + a.Spec.Reason
	}
	return text
}
