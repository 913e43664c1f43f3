package approle

import (
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
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
	assignments := index.Group(f.assignments)
	for _, a := range f.clients {
		g := rules.GrantOf(a.Client, a.Namespace, f.Role, d.verdict, assignments.Of(a.Client, a.Namespace), now)
		switch g.State {
		case v1alpha1.RoleGranted:
			d.granted++
			d.ends = append(d.ends, g.ExpiresAt)
		case v1alpha1.RoleExpired:
			d.ends = append(d.ends, g.ExpiresAt)
		case v1alpha1.RolePending:
			d.pending = append(d.pending, a.Client)
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
