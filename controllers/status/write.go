package status

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Write patches before's status to what it is in after, and says whether that was
// done. It is not done, and no error, where the object is gone or has changed since
// before was read: then the event of the newer one comes, and what was concluded
// from the older one must not stand.
func Write(ctx context.Context, to client.StatusClient, before, after client.Object) (bool, error) {
	err := to.Status().Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
