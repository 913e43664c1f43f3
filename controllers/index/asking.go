package index

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Asking is a client that asks for a role, and what the platform decided about its
// namespace.
type Asking struct {
	Client    *v1alpha1.OAuthClient
	Namespace *rules.Namespace
}

// Asking returns the clients that ask for a role: all of them, or, where only is not nil,
// that one alone. Ten thousand may ask.
func (f Finder) Asking(ctx context.Context, role types.NamespacedName, only *v1alpha1.ClientReference) ([]Asking, error) {
	clients, err := f.clientsAsking(ctx, role, only)
	if err != nil {
		return nil, err
	}
	namespaces := f.Namespaces()
	out := make([]Asking, 0, len(clients))
	for _, c := range clients {
		ns, err := namespaces.Get(ctx, c.Namespace)
		if err != nil {
			return nil, err
		}
		out = append(out, Asking{c, ns})
	}
	return out, nil
}

func (f Finder) clientsAsking(ctx context.Context, role types.NamespacedName, only *v1alpha1.ClientReference) ([]*v1alpha1.OAuthClient, error) {
	if only == nil {
		return f.ClientsAsking(ctx, role)
	}
	c := &v1alpha1.OAuthClient{}
	there, err := f.Get(ctx, types.NamespacedName{Namespace: only.Namespace, Name: only.Name}, c)
	if err != nil || !there || !slices.Contains(c.Spec.Roles, v1alpha1.RoleReference{Namespace: role.Namespace, Name: role.Name}) {
		return nil, err
	}
	return []*v1alpha1.OAuthClient{c}, nil
}
