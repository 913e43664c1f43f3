package clientcertificate

import (
	"context"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// WriteStale writes the Certificate of object as if seen were what was observed, nil
// being none.
func (p Policy) WriteStale(ctx context.Context, c client.Client, object *v1alpha1.ClientCertificate, of *v1alpha1.OAuthClient, seen *certmanagerv1.Certificate) error {
	o := &observation{object: object, client: of, certificate: seen}
	d := decision{create: p.check(o)}
	if seen != nil {
		d = decision{apply: p.final(o)}
	}
	_, err := (&reconciler{client: c}).act(ctx, o, d)
	return err
}
