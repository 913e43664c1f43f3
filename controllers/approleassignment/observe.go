package approleassignment

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// facts is everything that the status of an assignment rests on.
type facts struct {
	assignment *v1alpha1.AppRoleAssignment // nil: it is gone
	role       *v1alpha1.AppRole           // nil: there is none
	clients    []asking
}

// asking is a client that asks for the role.
type asking struct {
	client    *v1alpha1.OAuthClient
	namespace *rules.Namespace
}

func (r *reconciler) observe(ctx context.Context, key types.NamespacedName) (facts, error) {
	a := &v1alpha1.AppRoleAssignment{}
	if ok, err := r.find.Get(ctx, key, a); !ok {
		return facts{}, err
	}
	f := facts{assignment: a}
	roleKey := types.NamespacedName{Namespace: a.Namespace, Name: a.Spec.RoleRef.Name}
	role := &v1alpha1.AppRole{}
	ok, err := r.find.Get(ctx, roleKey, role)
	if err != nil {
		return facts{}, err
	}
	if ok {
		f.role = role
	}
	clients, err := r.clientsAsking(ctx, a, roleKey)
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

// clientsAsking returns the clients that ask for the role and that a may speak of.
func (r *reconciler) clientsAsking(ctx context.Context, a *v1alpha1.AppRoleAssignment, role types.NamespacedName) ([]*v1alpha1.OAuthClient, error) {
	ref := a.Spec.ClientRef
	if ref == nil {
		return r.find.ClientsAsking(ctx, role)
	}
	c := &v1alpha1.OAuthClient{}
	ok, err := r.find.Get(ctx, types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, c)
	if !ok || !slices.Contains(c.Spec.Roles, v1alpha1.RoleReference{Namespace: role.Namespace, Name: role.Name}) {
		return nil, err
	}
	return []*v1alpha1.OAuthClient{c}, nil
}
