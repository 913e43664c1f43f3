package approle

import (
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// decision is what the rules say.
type decision struct {
	verdict rules.Verdict
	granted int
	// pending are the clients that wait, the oldest first.
	pending []*v1alpha1.OAuthClient
	// ends are the moments at which a grant ends, or has ended, by itself.
	ends []time.Time
}

func decide(f facts, now time.Time) decision {
	d := decision{verdict: f.Verdict()}
	assignments := byClient(f.assignments)
	for _, a := range f.clients {
		g := rules.GrantOf(a.client, a.namespace, f.Role, d.verdict, assignments.of(a.client), now)
		switch g.State {
		case v1alpha1.RoleGranted:
			d.granted++
			d.ends = append(d.ends, g.ExpiresAt)
		case v1alpha1.RoleExpired:
			d.ends = append(d.ends, g.ExpiresAt)
		case v1alpha1.RolePending:
			d.pending = append(d.pending, a.client)
		default: // its owner has decided, or nobody can
		}
	}
	slices.SortFunc(d.pending, func(a, b *v1alpha1.OAuthClient) int {
		if rules.Older(a, b) {
			return -1
		}
		return 1
	})
	return d
}

// grouped holds assignments by the one client that they name, so that ten thousand
// clients with an assignment each are not a hundred million comparisons.
type grouped struct {
	one  map[v1alpha1.ClientReference][]*v1alpha1.AppRoleAssignment
	many []*v1alpha1.AppRoleAssignment
}

func byClient(assignments []*v1alpha1.AppRoleAssignment) grouped {
	g := grouped{one: map[v1alpha1.ClientReference][]*v1alpha1.AppRoleAssignment{}}
	for _, a := range assignments {
		if ref := a.Spec.ClientRef; ref != nil {
			g.one[*ref] = append(g.one[*ref], a)
		} else {
			g.many = append(g.many, a)
		}
	}
	return g
}

// of returns the assignments that may cover c.
func (g grouped) of(c *v1alpha1.OAuthClient) []*v1alpha1.AppRoleAssignment {
	return slices.Concat(g.one[v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name}], g.many)
}
