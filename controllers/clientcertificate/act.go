package clientcertificate

import (
	"context"
	"errors"
	"slices"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// FieldOwner is the name under which the API server keeps what Lanyard wrote.
const FieldOwner = "lanyard-controller"

// act carries out d. What the API server refuses for good comes back as a verdict;
// an error means that it should be tried again.
func (r *reconciler) act(ctx context.Context, o *observation, d decision) (rules.Verdict, error) {
	var err error
	switch {
	case d.create != nil:
		// Not by server-side apply, which would take over a Certificate that somebody
		// else made meanwhile.
		err = r.client.Create(ctx, d.create, client.FieldOwner(FieldOwner))
	case d.apply != nil:
		err = r.apply(ctx, o, d.apply)
	}
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) {
		return refused(v1alpha1.ReasonRejected, "the API server refuses the Certificate: "+err.Error()), nil
	}
	return rules.Verdict{}, err
}

// apply changes the Certificate that was observed. Its UID is a precondition: one
// that was deleted, and made again by somebody else, is not touched.
func (r *reconciler) apply(ctx context.Context, o *observation, c *certmanagerv1.Certificate) error {
	c.UID = o.certificate.UID
	c.SetGroupVersionKind(certmanagerv1.SchemeGroupVersion.WithKind(certmanagerv1.CertificateKind))
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c)
	if err != nil {
		return err
	}
	delete(fields, "status")
	err = r.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: fields}),
		client.FieldOwner(FieldOwner), client.ForceOwnership)
	if otherUID(err) {
		return apierrors.NewConflict(schema.GroupResource{Group: certmanagerv1.SchemeGroupVersion.Group, Resource: "certificates"}, c.Name, err)
	}
	return err
}

// otherUID says whether the API server refused a change because the object has
// another UID: to it that is an attempt to change a field that is immutable.
func otherUID(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.IsInvalid(err) && status.ErrStatus.Details != nil &&
		slices.ContainsFunc(status.ErrStatus.Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}
