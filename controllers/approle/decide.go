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
	assignments := group(f.assignments)
	for _, a := range f.clients {
		g := rules.GrantOf(a.client, a.namespace, f.Role, d.verdict, assignments.of(a.client, a.namespace), now)
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

// grouped holds assignments by the one client that they name, and by the namespaces whose
// clients they select: ten thousand clients with an assignment each are not a hundred
// million comparisons, and a hundred selectors are not read anew for each of them.
type grouped struct {
	one  map[v1alpha1.ClientReference][]*v1alpha1.AppRoleAssignment
	many []*v1alpha1.AppRoleAssignment
	// in are those of many that speak of clients of a namespace, once it was asked for.
	in map[*rules.Namespace][]*v1alpha1.AppRoleAssignment
}

func group(assignments []*v1alpha1.AppRoleAssignment) grouped {
	g := grouped{one: map[v1alpha1.ClientReference][]*v1alpha1.AppRoleAssignment{}, in: map[*rules.Namespace][]*v1alpha1.AppRoleAssignment{}}
	for _, a := range assignments {
		if ref := a.Spec.ClientRef; ref != nil {
			g.one[*ref] = append(g.one[*ref], a)
		} else {
			g.many = append(g.many, a)
		}
	}
	return g
}

// of returns the assignments that may cover c, whose namespace is ns.
func (g grouped) of(c *v1alpha1.OAuthClient, ns *rules.Namespace) []*v1alpha1.AppRoleAssignment {
	named := g.one[v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name}]
	if len(g.many) == 0 {
		return named
	}
	selecting, known := g.in[ns]
	if !known {
		for _, a := range g.many {
			if rules.CoversIn(a, ns) {
				selecting = append(selecting, a)
			}
		}
		g.in[ns] = selecting
	}
	return append(slices.Clip(named), selecting...)
}
