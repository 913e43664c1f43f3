package oauthclient

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// facts is everything that the status of a client rests on.
type facts struct {
	client    *v1alpha1.OAuthClient // nil: it is gone
	namespace *rules.Namespace      // nil: not seen yet
	holder    *v1alpha1.OAuthClient
	roles     []roleFacts // of spec.roles, in order

	// sharer is another client that lists the service account named account, too.
	sharer  *v1alpha1.OAuthClient
	account string
}

type roleFacts struct {
	index.RoleFacts
	assignments []*v1alpha1.AppRoleAssignment // that may speak of the client
}

// decidedBy is who made an assignment; empty: nobody knows.
func (r roleFacts) decidedBy(assignment string) string {
	for _, a := range r.assignments {
		if a.Name == assignment {
			return a.Spec.DecidedBy
		}
	}
	return ""
}

func (r *reconciler) observe(ctx context.Context, key types.NamespacedName) (facts, error) {
	c := &v1alpha1.OAuthClient{}
	if ok, err := r.find.Get(ctx, key, c); !ok {
		return facts{}, err
	}
	f := facts{client: c}
	var err error
	if f.namespace, err = r.find.Namespace(ctx, c.Namespace); err != nil {
		return facts{}, err
	}
	if f.holder, err = r.find.ClientHolder(ctx, c); err != nil {
		return facts{}, err
	}
	if f.sharer, f.account, err = r.find.Sharing(ctx, c); err != nil {
		return facts{}, err
	}
	for _, ref := range c.Spec.Roles {
		key := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
		role := roleFacts{}
		if role.RoleFacts, err = r.find.Role(ctx, key); err != nil {
			return facts{}, err
		}
		if role.assignments, err = r.find.AssignmentsFor(ctx, key, client.ObjectKeyFromObject(c)); err != nil {
			return facts{}, err
		}
		f.roles = append(f.roles, role)
	}
	return f, nil
}
