package webhook

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// keys name clients.
type keys map[types.NamespacedName]struct{}

// standing is a role with everything that says who has it.
type standing struct {
	index.RoleFacts // its Role is nil: it is gone
	clients         []index.Asking
	assignments     []*v1alpha1.AppRoleAssignment
}

// holders returns the clients that have the role by some assignments.
func (s standing) holders(assignments []*v1alpha1.AppRoleAssignment, now time.Time) keys {
	have, onRole, of := keys{}, s.Verdict(), index.Group(assignments)
	for _, a := range s.clients {
		if rules.GrantOf(a.Client, a.Namespace, s.Role, onRole, of.Of(a.Client, a.Namespace), now).State == v1alpha1.RoleGranted {
			have[client.ObjectKeyFromObject(a.Client)] = struct{}{}
		}
	}
	return have
}

// lost returns the clients that have the role while before counts, and do not have it
// once after does. Either may be nil: there is none.
func (s standing) lost(before, after *v1alpha1.AppRoleAssignment, now time.Time) keys {
	lost := s.holders(with(s.assignments, before, before), now)
	for key := range s.holders(with(s.assignments, before, after), now) {
		delete(lost, key)
	}
	return lost
}

// with has after in the place of before.
func with(assignments []*v1alpha1.AppRoleAssignment, before, after *v1alpha1.AppRoleAssignment) []*v1alpha1.AppRoleAssignment {
	out := slices.DeleteFunc(slices.Clone(assignments), func(a *v1alpha1.AppRoleAssignment) bool {
		return before != nil && a.Name == before.Name
	})
	if after != nil {
		out = append(out, after)
	}
	return out
}

// lost reads who loses a role with a changed assignment, of which either may be nil.
func (h *handlers) lost(ctx context.Context, before, after *v1alpha1.AppRoleAssignment) (keys, error) {
	a := before
	if a == nil {
		a = after
	}
	s, err := h.standing(ctx, types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.RoleRef.Name}, a.Spec.ClientRef)
	if err != nil {
		return nil, err
	}
	return s.lost(before, after, h.now()), nil
}

// holders reads who has a role.
func (h *handlers) holders(ctx context.Context, role types.NamespacedName) (keys, error) {
	s, err := h.standing(ctx, role, nil)
	if err != nil {
		return nil, err
	}
	return s.holders(s.assignments, h.now()), nil
}

// holdersOn reads who has a role on a resource.
func (h *handlers) holdersOn(ctx context.Context, resource types.NamespacedName) (keys, error) {
	roles, err := h.find.RolesOn(ctx, resource)
	if err != nil {
		return nil, err
	}
	have := keys{}
	for _, role := range roles {
		holders, err := h.holders(ctx, client.ObjectKeyFromObject(role))
		if err != nil {
			return nil, err
		}
		for key := range holders {
			have[key] = struct{}{}
		}
	}
	return have, nil
}

// standing reads who asks for a role, and what was decided about it. With only, it looks
// at that client alone: ten thousand may ask.
func (h *handlers) standing(ctx context.Context, key types.NamespacedName, only *v1alpha1.ClientReference) (s standing, err error) {
	if s.RoleFacts, err = h.find.Role(ctx, key); err != nil || s.Role == nil {
		return s, err
	}
	if s.assignments, err = h.find.Assignments(ctx, key); err != nil {
		return s, err
	}
	if s.clients, err = h.find.Asking(ctx, key, only); err != nil {
		return s, err
	}
	return s, ctx.Err()
}
