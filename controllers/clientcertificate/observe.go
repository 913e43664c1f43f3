package clientcertificate

import (
	"context"
	"slices"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// observation is all that is read for one ClientCertificate, at one moment.
type observation struct {
	now    time.Time
	object *v1alpha1.ClientCertificate
	// client that the certificate is for; nil if there is none.
	client *v1alpha1.OAuthClient
	// clientDeleting says that there is one, which is being deleted: it counts as none.
	clientDeleting bool
	// namespace's policy; nil if it is not known.
	namespace *rules.Namespace
	// certManager says whether cert-manager is installed.
	certManager bool
	// certificate is the one that spec.certificateRef names, or for spec.issuance the
	// one that object controls; nil if there is none.
	certificate *certmanagerv1.Certificate
	// deleting is that Certificate while it is being deleted, which somebody's
	// finalizer may draw out: it counts as none, and is not written to.
	deleting *certmanagerv1.Certificate
	// foreign is a Certificate of the name that issuance wants, which object does not control.
	foreign *certmanagerv1.Certificate
	// rivals are the other Certificates of the namespace with issuance's secretName.
	rivals []*certmanagerv1.Certificate
	// requests are the CertificateRequests that say they are certificate's.
	requests []*certmanagerv1.CertificateRequest
}

// observe reads everything. What does not exist is no error.
func (r *reconciler) observe(ctx context.Context, object *v1alpha1.ClientCertificate) (*observation, error) {
	installed, err := r.certManager.installed(ctx)
	if err != nil {
		return nil, err
	}
	o := &observation{now: r.now(), object: object, certManager: installed}
	if o.client, err = get(ctx, r.client, object.Namespace, object.Spec.ClientRef.Name, &v1alpha1.OAuthClient{}); err != nil {
		return nil, err
	}
	if o.client != nil && o.client.DeletionTimestamp != nil {
		o.client, o.clientDeleting = nil, true
	}
	if object.Spec.Issuance == nil && object.Spec.CertificateRef == nil || !o.certManager {
		return o, nil
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(namespaceKind)
	if namespace, err = get(ctx, r.client, "", object.Namespace, namespace); err != nil {
		return nil, err
	}
	if namespace != nil {
		o.namespace = rules.ParseNamespace(namespace.Name, namespace.Labels, namespace.Annotations)
	}
	if err := r.observeCertificate(ctx, o); err != nil {
		return nil, err
	}
	return o, nil
}

func (r *reconciler) observeCertificate(ctx context.Context, o *observation) error {
	name := certificateName(o.object)
	certificate, err := get(ctx, r.client, o.object.Namespace, name, &certmanagerv1.Certificate{})
	if err != nil {
		return err
	}
	if issuance := o.object.Spec.Issuance; issuance != nil {
		if certificate != nil && !controls(o.object, certificate) {
			o.foreign, certificate = certificate, nil
		}
		var list certmanagerv1.CertificateList
		if err := r.client.List(ctx, &list, client.InNamespace(o.object.Namespace), client.MatchingFields{indexSecretName: issuance.SecretName}); err != nil {
			return err
		}
		o.rivals = rivalsOf(name, pointers(list.Items))
	}
	if certificate != nil && certificate.DeletionTimestamp != nil {
		o.deleting, certificate = certificate, nil
	}
	if certificate == nil {
		return nil
	}
	o.certificate = certificate
	var list certmanagerv1.CertificateRequestList
	if err := r.client.List(ctx, &list, client.InNamespace(o.object.Namespace), client.MatchingFields{indexOwner: string(certificate.UID)}); err != nil {
		return err
	}
	o.requests = pointers(list.Items)
	return r.catchUp(ctx, o)
}

// catchUp asks the API server itself for the CertificateRequest of the Certificate's revision
// while the cache has none with a certificate. Each kind has a watch of its own: that of
// CertificateRequests may be behind that of Certificates, and a renewal would be told, and
// Ready be False, as if its CertificateRequest were gone.
func (r *reconciler) catchUp(ctx context.Context, o *observation) error {
	if o.certificate.Status.Revision == nil {
		return nil
	}
	name := requestName(o.certificate.Name, int64(*o.certificate.Status.Revision))
	i := slices.IndexFunc(o.requests, func(r *certmanagerv1.CertificateRequest) bool { return r.Name == name })
	if i >= 0 && issued(o.requests[i]) {
		return nil
	}
	request, err := get(ctx, r.live, o.certificate.Namespace, name, &certmanagerv1.CertificateRequest{})
	if err != nil || request == nil || ownerOf(request).UID != o.certificate.UID {
		return err
	}
	if i >= 0 {
		o.requests[i] = request
	} else {
		o.requests = append(o.requests, request)
	}
	return nil
}

// certificateName is the name of the Certificate that object is about; empty if it
// is about none.
func certificateName(object *v1alpha1.ClientCertificate) string {
	switch spec := &object.Spec; {
	case spec.Issuance != nil:
		return object.Name
	case spec.CertificateRef != nil:
		return spec.CertificateRef.Name
	default:
		return ""
	}
}

// get reads one object into into; it returns the zero T if there is none.
func get[T client.Object](ctx context.Context, c client.Reader, namespace, name string, into T) (T, error) {
	var none T
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, into)
	switch {
	case apierrors.IsNotFound(err):
		return none, nil
	case err != nil:
		return none, err
	default:
		return into, nil
	}
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}
