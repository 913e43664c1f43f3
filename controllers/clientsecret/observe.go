package clientsecret

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// facts is everything that a decision rests on.
type facts struct {
	client *v1alpha1.OAuthClient // nil: it is gone
	held   holding
	denied string // why the API server did not let us look; empty: it did
}

// holding is what the Secret is that the client names.
type holding int

const (
	unknown  holding = iota // nobody looked
	absent                  // there is no such Secret
	newest                  // it is ours, and holds the newest secret of the status
	outdated                // it is ours, and holds another
	foreign                 // it is not ours
)

// observe reads the client from the API server, not from the cache: what was decided
// from a status that is no longer so would end a secret that is in use.
func (r *reconciler) observe(ctx context.Context, key types.NamespacedName) (facts, error) {
	c := &v1alpha1.OAuthClient{}
	if ok, err := r.live.Get(ctx, key, c); !ok {
		return facts{}, err
	}
	f := facts{client: c}
	if c.Spec.Authentication.ClientSecret == nil || !r.enabled {
		return f, nil
	}
	var err error
	f.held, err = r.look(ctx, c)
	if apierrors.IsForbidden(err) {
		f.denied, err = err.Error(), nil
	}
	return f, err
}

// look asks what the client's Secret is, without reading or changing it.
func (r *reconciler) look(ctx context.Context, c *v1alpha1.OAuthClient) (holding, error) {
	ours := []operation{{Op: "test", Path: pointer(v1alpha1.LabelOAuthClientUID), Value: string(c.UID)}}
	current := newestID(c)
	for _, try := range []struct {
		is    holding
		tests []operation
	}{
		{newest, append(ours, operation{Op: "test", Path: pointer(v1alpha1.LabelClientSecretID), Value: current})},
		{outdated, ours},
	} {
		err := r.patch(ctx, c, try.tests)
		switch {
		case err == nil:
			return try.is, nil
		case apierrors.IsNotFound(err):
			return absent, nil
		case !apierrors.IsInvalid(err):
			return unknown, fmt.Errorf("asking for Secret %s/%s: %w", c.Namespace, c.Spec.Authentication.ClientSecret.SecretName, err)
		}
	}
	return foreign, nil
}

// newestID is what the Secret says that holds the newest secret of the status.
func newestID(c *v1alpha1.OAuthClient) string {
	if len(c.Status.ClientSecrets) == 0 {
		return ""
	}
	return id(c.Status.ClientSecrets[0].Hash)
}
