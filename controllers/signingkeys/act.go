package signingkeys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
)

// rsaBits is 3072 because NIST SP 800-57 gives that size the strength of P-256.
const rsaBits = 3072

// told is what an event says of something that was done.
type told struct{ kind, reason, note string }

func rotated(format string, args ...any) told {
	return told{corev1.EventTypeNormal, EventRotated, fmt.Sprintf(format, args...)}
}

// apply does the steps on ring, and says for each what was done.
func (r *reconciler) apply(ring keyring.Ring, steps []keyring.Step, now time.Time) (keyring.Ring, []told, error) {
	var done []told
	keep := r.schedule.KeepAfter
	for _, step := range steps {
		switch step := step.(type) {
		case keyring.MakeKey:
			key, err := makeKey(r.random, step, now)
			if err != nil {
				return ring, nil, err
			}
			ring = ring.With(key, keep)
			done = append(done, rotated("made the %s key %s, which signs from %s", key.Algorithm, key.ID, key.SignsFrom.Format(time.RFC3339)))
		case keyring.AdvanceKey:
			ring = ring.Advance(step.ID, step.SignsFrom, keep)
			done = append(done, rotated("the key %s signs from %s already", step.ID, step.SignsFrom.Format(time.RFC3339)))
		case keyring.RemoveKey:
			ring = ring.Without(step.ID, keep)
			done = append(done, rotated("removed the key %s, whose last tokens have ended", step.ID))
		case keyring.DropKey:
			ring = ring.Without(step.ID, keep)
			done = append(done, told{corev1.EventTypeWarning, EventDropped, fmt.Sprintf(
				"dropped the key %s on command; a verifier refuses its tokens as soon as it reads the issuer's keys again", step.ID)})
		}
	}
	return ring, done, nil
}

func makeKey(random io.Reader, step keyring.MakeKey, now time.Time) (keyring.Key, error) {
	private, err := generate(random, step.Algorithm)
	if err != nil {
		return keyring.Key{}, fmt.Errorf("making a key for %s: %w", step.Algorithm, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return keyring.Key{}, errors.New("a new key cannot be encoded") // the cause could quote it
	}
	id, err := jose.Thumbprint(private.Public())
	if err != nil {
		return keyring.Key{}, fmt.Errorf("naming a key for %s: %w", step.Algorithm, err)
	}
	return keyring.Key{
		ID: id, Algorithm: step.Algorithm, PrivateKeyPKCS8: der,
		CreatedAt: now.UTC().Truncate(time.Second), SignsFrom: step.SignsFrom,
	}, nil
}

func generate(random io.Reader, algorithm keyring.Algorithm) (crypto.Signer, error) {
	switch algorithm {
	case keyring.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), random)
	case keyring.RS256, keyring.PS256:
		return rsa.GenerateKey(random, rsaBits)
	case keyring.EdDSA:
		_, private, err := ed25519.GenerateKey(random)
		return private, err
	default:
		return nil, fmt.Errorf("there are %v", keyring.Algorithms())
	}
}

// write stores ring: in a new Secret if secret is nil, else in secret, if nobody
// has changed it since it was read. The annotations of commands that are done go in
// the same write, so that a crash neither loses nor repeats one.
func (r *reconciler) write(ctx context.Context, secret *corev1.Secret, ring keyring.Ring, done []string, now time.Time) (*corev1.Secret, error) {
	data, err := ring.Marshal()
	if err != nil {
		return nil, err
	}
	if secret == nil {
		secret = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: r.key.Namespace, Name: r.key.Name,
				Labels:      map[string]string{"app.kubernetes.io/managed-by": "lanyard"},
				Annotations: map[string]string{v1alpha1.AnnotationNextRotation: r.foretell(ring, now)},
			},
			Type: keyring.SecretType,
			Data: map[string][]byte{keyring.SecretKey: data},
		}
		return secret, r.writer.Create(ctx, secret)
	}
	secret.Data[keyring.SecretKey] = data
	for _, annotation := range done {
		delete(secret.Annotations, annotation)
	}
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1alpha1.AnnotationNextRotation, r.foretell(ring, now))
	return secret, r.writer.Update(ctx, secret) // with the resourceVersion that was read
}

// foretell says when another key begins to sign, for the annotation.
func (r *reconciler) foretell(ring keyring.Ring, now time.Time) string {
	signing, ok := ring.Signing(now)
	if !ok {
		return ""
	}
	return nextRotation(signing, r.schedule).UTC().Format(time.RFC3339)
}

// foretold says whether the Secret says so. It comes to say otherwise when the next key
// begins to sign, and when the schedule is another one.
func (r *reconciler) foretold(secret *corev1.Secret, ring keyring.Ring, now time.Time) bool {
	return secret != nil && secret.Annotations[v1alpha1.AnnotationNextRotation] == r.foretell(ring, now)
}
