package injection

import (
	"context"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// observer reads what is known of a client.
type observer struct {
	find index.Finder
	// indexed says that find reads the cache, which has indexes.
	indexed bool
}

// observe reads what is known of the client that a pod of the namespace names.
func (o observer) observe(ctx context.Context, namespace string, w Wish) (k Known, err error) {
	c := &v1alpha1.OAuthClient{}
	there, err := o.find.Get(ctx, types.NamespacedName{Namespace: namespace, Name: w.Client}, c)
	if err != nil {
		return k, err
	}
	if there {
		k.Client = c
	}
	if w.Certificate != "" {
		cc := &v1alpha1.ClientCertificate{}
		if there, err = o.find.Get(ctx, types.NamespacedName{Namespace: namespace, Name: w.Certificate}, cc); err != nil {
			return k, err
		}
		if there {
			k.Named = cc
		}
	} else if k.Certificates, err = o.certificates(ctx, namespace, w.Client); err != nil {
		return k, err
	}
	if cc, refused := k.certificate(w); refused == nil && cc != nil && cc.Spec.CertificateRef != nil {
		k.Adopted, err = o.adopted(ctx, types.NamespacedName{Namespace: namespace, Name: cc.Spec.CertificateRef.Name})
	}
	return k, err
}

// adopted is the Secret of a Certificate of cert-manager; "": there is none.
func (o observer) adopted(ctx context.Context, key types.NamespacedName) (string, error) {
	c := &certmanagerv1.Certificate{}
	there, err := o.find.Get(ctx, key, c)
	if !there {
		if meta.IsNoMatchError(err) { // cert-manager is not installed
			err = nil
		}
		return "", err
	}
	return c.Spec.SecretName, nil
}

// certificates are the ClientCertificates of a client.
func (o observer) certificates(ctx context.Context, namespace, name string) ([]*v1alpha1.ClientCertificate, error) {
	var list v1alpha1.ClientCertificateList
	options := []client.ListOption{client.InNamespace(namespace)}
	if o.indexed {
		options = append(options, client.MatchingFields{index.CertificateClient: name}, client.UnsafeDisableDeepCopy)
	}
	if err := o.find.Reader.List(ctx, &list, options...); err != nil {
		return nil, err
	}
	var all []*v1alpha1.ClientCertificate
	for i := range list.Items {
		if cc := &list.Items[i]; cc.Spec.ClientRef.Name == name && !rules.Gone(cc) {
			all = append(all, cc)
		}
	}
	return all, nil
}
