package index

import (
	"slices"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Grouped holds the assignments of a role by the one client that they name, and by the
// namespaces whose clients they select: ten thousand clients with an assignment each are
// not a hundred million comparisons, and a hundred selectors are not read anew for each of
// them. It is for one goroutine.
type Grouped struct {
	one  map[v1alpha1.ClientReference][]*v1alpha1.AppRoleAssignment
	many []*v1alpha1.AppRoleAssignment
	// in are those of many that speak of clients of a namespace, once it was asked for.
	in map[*rules.Namespace][]*v1alpha1.AppRoleAssignment
}

// Group groups the assignments of a role.
func Group(assignments []*v1alpha1.AppRoleAssignment) Grouped {
	g := Grouped{one: map[v1alpha1.ClientReference][]*v1alpha1.AppRoleAssignment{}, in: map[*rules.Namespace][]*v1alpha1.AppRoleAssignment{}}
	for _, a := range assignments {
		if ref := a.Spec.ClientRef; ref != nil {
			g.one[*ref] = append(g.one[*ref], a)
		} else {
			g.many = append(g.many, a)
		}
	}
	return g
}

// Of returns the assignments that may cover c, whose namespace is ns.
func (g Grouped) Of(c *v1alpha1.OAuthClient, ns *rules.Namespace) []*v1alpha1.AppRoleAssignment {
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
