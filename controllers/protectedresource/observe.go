package protectedresource

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// facts is everything that the status of a resource rests on.
type facts struct {
	resource      *v1alpha1.ProtectedResource // nil: it is gone
	namespace     *rules.Namespace            // nil: not seen yet
	holder        *v1alpha1.ProtectedResource
	clusterDomain string
}

func (r *reconciler) observe(ctx context.Context, key types.NamespacedName) (facts, error) {
	resource := &v1alpha1.ProtectedResource{}
	if ok, err := r.find.Get(ctx, key, resource); !ok {
		return facts{}, err
	}
	f := facts{resource: resource, clusterDomain: r.find.ClusterDomain}
	var err error
	if f.namespace, err = r.find.Namespace(ctx, resource.Namespace); err != nil {
		return facts{}, err
	}
	f.holder, err = r.find.ResourceHolder(ctx, resource)
	return f, err
}
