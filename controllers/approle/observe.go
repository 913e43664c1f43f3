package approle

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

// facts is everything that the status of a role rests on.
type facts struct {
	index.RoleFacts // its Role is nil: it is gone
	assignments     []*v1alpha1.AppRoleAssignment
	clients         []index.Asking
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
	f.clients, err = r.find.Asking(ctx, key, nil)
	return f, err
}
