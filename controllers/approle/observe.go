package approle

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// facts is everything that the status of a role rests on.
type facts struct {
	index.RoleFacts // its Role is nil: it is gone
	assignments     []*v1alpha1.AppRoleAssignment
	clients         []asking
}

// asking is a client that asks for the role.
type asking struct {
	client    *v1alpha1.OAuthClient
	namespace *rules.Namespace
}

func (r *reconciler) observe(ctx context.Context, key types.NamespacedName) (facts, error) {
	role, err := r.find.Role(ctx, key)
	if err != nil || role.Role == nil {
		return facts{}, err
	}
	f := facts{RoleFacts: role}
	if f.assignments, err = r.find.Assignments(ctx, key); err != nil {
		return facts{}, err
	}
	clients, err := r.find.ClientsAsking(ctx, key)
	if err != nil {
		return facts{}, err
	}
	namespaces := r.find.Namespaces()
	for _, c := range clients {
		ns, err := namespaces.Get(ctx, c.Namespace)
		if err != nil {
			return facts{}, err
		}
		f.clients = append(f.clients, asking{c, ns})
	}
	return f, nil
}
