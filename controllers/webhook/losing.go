package webhook

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// keys name clients.
type keys map[types.NamespacedName]struct{}

// assignments picks of a role's assignments those that count.
type assignments func([]*v1alpha1.AppRoleAssignment) []*v1alpha1.AppRoleAssignment

func all(a []*v1alpha1.AppRoleAssignment) []*v1alpha1.AppRoleAssignment { return a }

// with has after in before's place; either may be nil.
func with(before, after *v1alpha1.AppRoleAssignment) assignments {
	return func(of []*v1alpha1.AppRoleAssignment) []*v1alpha1.AppRoleAssignment {
		of = slices.DeleteFunc(slices.Clone(of), func(a *v1alpha1.AppRoleAssignment) bool {
			return before != nil && a.Name == before.Name
		})
		if after != nil {
			of = append(of, after)
		}
		return of
	}
}

// lost returns the clients that have the role while before counts, and do not have it
// once after does.
func (h *handlers) lost(ctx context.Context, before, after *v1alpha1.AppRoleAssignment) (keys, error) {
	a := before
	if a == nil {
		a = after
	}
	role := types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.RoleRef.Name}
	had, err := h.holders(ctx, role, with(before, before))
	if err != nil {
		return nil, err
	}
	have, err := h.holders(ctx, role, with(before, after))
	for key := range have {
		delete(had, key)
	}
	return had, err
}

// holdersOn returns the clients that have a role on a resource.
func (h *handlers) holdersOn(ctx context.Context, resource types.NamespacedName) (keys, error) {
	roles, err := h.find.RolesOn(ctx, resource)
	if err != nil {
		return nil, err
	}
	have := keys{}
	for _, role := range roles {
		clients, err := h.holders(ctx, client.ObjectKeyFromObject(role), all)
		if err != nil {
			return nil, err
		}
		for key := range clients {
			have[key] = struct{}{}
		}
	}
	return have, nil
}

// holders returns the clients that have a role now by the assignments that count.
func (h *handlers) holders(ctx context.Context, key types.NamespacedName, counting assignments) (keys, error) {
	role, err := h.find.Role(ctx, key)
	if err != nil || role.Role == nil {
		return nil, err
	}
	of, err := h.find.Assignments(ctx, key)
	if err != nil {
		return nil, err
	}
	clients, err := h.find.ClientsAsking(ctx, key)
	if err != nil {
		return nil, err
	}
	of = counting(of)
	have, onRole, namespaces, now := keys{}, role.Verdict(), h.find.Namespaces(), h.now()
	for _, c := range clients {
		if err := ctx.Err(); err != nil { // ten thousand may ask
			return nil, err
		}
		ns, err := namespaces.Get(ctx, c.Namespace)
		if err != nil {
			return nil, err
		}
		if rules.GrantOf(c, ns, role.Role, onRole, of, now).State == v1alpha1.RoleGranted {
			have[client.ObjectKeyFromObject(c)] = struct{}{}
		}
	}
	return have, nil
}
