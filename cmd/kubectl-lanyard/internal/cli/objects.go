package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// Get reads an object of one of Lanyard's kinds. That it is not there is a
// [MissingError], which names those that may have been meant.
func Get(ctx context.Context, c client.Reader, kind string, key types.NamespacedName, o client.Object) error {
	err := c.Get(ctx, key, o)
	if !apierrors.IsNotFound(err) || unknownKind(err) {
		return err
	}
	names, _ := Names(ctx, c, kind, key.Namespace) // it helps, and no more
	return Missing(kind, key.Namespace, key.Name, names)
}

// Names are the names of the objects of one of Lanyard's kinds in a namespace, sorted.
func Names(ctx context.Context, c client.Reader, kind, namespace string) ([]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind + "List"))
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	slices.SortFunc(names, strings.Compare)
	return names, nil
}

// Together does several things at once: what a command reads costs one round trip, not
// one for each object. It
// returns the error of the first that has one, whichever came first in time.
func Together(ctx context.Context, all ...func(context.Context) error) error {
	var group errgroup.Group
	group.SetLimit(16)
	errs := make([]error, len(all))
	for i, one := range all {
		group.Go(func() error {
			errs[i] = one(ctx)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Optional has one of Together's go on where something is not there, or may not be read.
func Optional(read func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := read(ctx)
		if _, missing := errors.AsType[*MissingError](err); missing || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			return nil
		}
		return err
	}
}
