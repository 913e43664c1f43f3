package approleassignment

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
)

// facts is everything that the status of an assignment rests on.
type facts struct {
	assignment *v1alpha1.AppRoleAssignment // nil: it is gone
	role       *v1alpha1.AppRole           // nil: there is none
	clients    []index.Asking
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
	f.clients, err = r.find.Asking(ctx, roleKey, a.Spec.ClientRef)
	return f, err
}
