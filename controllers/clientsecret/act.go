package clientsecret

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// The keys of the Secret.
const (
	keyClientID     = "client-id"
	keyClientSecret = "client-secret"
)

// outcome is what came of making a secret. All empty: somebody else wrote the Secret
// at the same moment.
type outcome struct {
	made    *v1alpha1.ClientSecretStatus
	refused string // what the API server said
}

// act makes a secret, and stores it in the client's Secret.
func (r *reconciler) act(ctx context.Context, f facts, now time.Time) (outcome, error) {
	c := f.client
	wanted := c.Spec.Authentication.ClientSecret
	made, err := makeSecret(r.random)
	if err != nil {
		return outcome{}, err
	}
	if f.held == absent {
		err = r.writer.Create(ctx, secretOf(c, made))
	} else {
		err = r.patch(ctx, c, replace(c, made))
	}
	switch {
	case err == nil:
		created := now.UTC().Truncate(time.Second) // as fine as the API keeps it
		return outcome{made: &v1alpha1.ClientSecretStatus{
			Hash:      made.hash(),
			CreatedAt: metav1.NewTime(created),
			ExpiresAt: metav1.NewTime(created.Add(lifetime(wanted))),
		}}, nil
	case apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return outcome{}, nil
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		return outcome{refused: said(err, made)}, nil
	default:
		return outcome{}, fmt.Errorf("writing Secret %s/%s: %s", c.Namespace, wanted.SecretName, said(err, made))
	}
}

// said is what the API server said. A policy of the cluster may quote what it refuses.
func said(err error, s secret) string {
	if text := err.Error(); !s.quotedIn(text) {
		return text
	}
	return fmt.Sprintf("refused (%s), in words that quote the secret", apierrors.ReasonForError(err))
}

// secretOf is the Secret that ends with the client.
func secretOf(c *v1alpha1.OAuthClient, s secret) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: c.Namespace, Name: c.Spec.Authentication.ClientSecret.SecretName,
			Labels: map[string]string{
				"app.kubernetes.io/managed-by": "lanyard",
				v1alpha1.LabelOAuthClientUID:   string(c.UID),
				v1alpha1.LabelClientSecretID:   id(s.hash()),
			},
			// Without blockOwnerDeletion, which would ask for a permission more.
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "OAuthClient", Name: c.Name, UID: c.UID, Controller: new(true),
			}},
		},
		Type: corev1.SecretTypeOpaque,
		Data: dataOf(c, s),
	}
}

func dataOf(c *v1alpha1.OAuthClient, s secret) map[string][]byte {
	return map[string][]byte{keyClientID: []byte(rules.ClientID(c)), keyClientSecret: []byte(s.text)}
}

// replace puts s into the client's Secret, if that is ours. Whether it is was asked
// before; somebody may have put another in its place since.
func replace(c *v1alpha1.OAuthClient, s secret) []operation {
	return []operation{
		{Op: "test", Path: pointer(v1alpha1.LabelOAuthClientUID), Value: string(c.UID)},
		{Op: "add", Path: pointer(v1alpha1.LabelClientSecretID), Value: id(s.hash())},
		{Op: "add", Path: "/data", Value: dataOf(c, s)},
	}
}

// operation is one of a JSON Patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// pointer is where a label stands (RFC 6901).
func pointer(label string) string {
	return "/metadata/labels/" + strings.ReplaceAll(label, "/", "~1")
}

// patch applies the operations to the client's Secret. Of the answer it asks the
// metadata only. A test that fails is an Invalid.
func (r *reconciler) patch(ctx context.Context, c *v1alpha1.OAuthClient, operations []operation) error {
	body, err := json.Marshal(operations)
	if err != nil {
		return fmt.Errorf("encoding a patch: %w", err)
	}
	target := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: c.Namespace, Name: c.Spec.Authentication.ClientSecret.SecretName,
	}}
	target.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return r.writer.Patch(ctx, target, client.RawPatch(types.JSONPatchType, body))
}
