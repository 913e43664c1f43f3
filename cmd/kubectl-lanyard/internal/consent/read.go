package consent

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// observed is everything that was read for a decision.
type observed struct {
	facts
	role *v1alpha1.AppRole
	// missing says that the client may be read and is not there; nil: it is, or nobody
	// knows. unread says that it may not be read.
	missing error
	unread  bool
}

// observe reads what a decision rests on, all at once. What the API's owner may not read
// of the caller's namespace is not needed.
func observe(ctx context.Context, c client.Client, w wish) (observed, error) {
	o := observed{role: &v1alpha1.AppRole{}}
	found, ns := &v1alpha1.OAuthClient{}, &corev1.Namespace{}
	err := cli.Together(ctx,
		func(ctx context.Context) error { return roleNamed(ctx, c, w.role, o.role) },
		func(ctx context.Context) error {
			var list v1alpha1.AppRoleAssignmentList
			err := c.List(ctx, &list, client.InNamespace(w.role.Namespace))
			for i := range list.Items {
				o.assignments = append(o.assignments, &list.Items[i])
			}
			return err
		},
		func(ctx context.Context) error {
			err := cli.Get(ctx, c, "OAuthClient", w.client, found)
			if _, missing := errors.AsType[*cli.MissingError](err); missing {
				o.missing = err
				return nil
			}
			if apierrors.IsForbidden(err) {
				o.unread = true
				return nil
			}
			o.client = found
			return err
		},
		cli.Optional(func(ctx context.Context) error {
			err := c.Get(ctx, types.NamespacedName{Name: w.client.Namespace}, ns)
			if err == nil {
				o.namespace = rules.ParseNamespace(ns.Name, ns.Labels, ns.Annotations)
			}
			return err
		}),
	)
	return o, err
}

// roleNamed reads an AppRole. Where somebody wrote the value that stands in tokens
// instead of the name, it says which role has that value.
func roleNamed(ctx context.Context, c client.Client, key types.NamespacedName, into *v1alpha1.AppRole) error {
	err := cli.Get(ctx, c, "AppRole", key, into)
	if _, missing := errors.AsType[*cli.MissingError](err); !missing {
		return err
	}
	var list v1alpha1.AppRoleList
	if c.List(ctx, &list, client.InNamespace(key.Namespace)) != nil {
		return err
	}
	for i := range list.Items {
		if list.Items[i].Spec.Value == key.Name {
			return fmt.Errorf("%q is a value, and roles are named by their AppRole; write %s/%s", key.Name, key.Namespace, list.Items[i].Name)
		}
	}
	return err
}
