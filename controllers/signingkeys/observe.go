package signingkeys

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// errUnreadable means that the Secret is there and holds no ring.
var errUnreadable = errors.New("the signing keys cannot be read, and are left as they are: restore the Secret, or delete it to have new keys made")

// observe reads the Secret; nil: there is none. With errUnreadable the Secret is
// returned too.
func (r *reconciler) observe(ctx context.Context) (*corev1.Secret, keyring.Ring, error) {
	secret := &corev1.Secret{}
	err := r.reader.Get(ctx, r.key, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, keyring.Ring{}, nil
	case err != nil:
		return nil, keyring.Ring{}, fmt.Errorf("reading Secret %s: %w", r.key, err)
	}
	ring, err := keyring.Parse(secret.Data[keyring.SecretKey])
	if err != nil {
		return secret, keyring.Ring{}, fmt.Errorf("%w: Secret %s, key %s: %w", errUnreadable, r.key, keyring.SecretKey, err)
	}
	return secret, ring, nil
}
