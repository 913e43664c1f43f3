package endpoint

import (
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// federated: a pod proves itself with the token of its service account.
func (s *stage) federated(t *testing.T) {
	w := s.newWorld(t)
	auth := byAccount("checkout")
	auth.Certificate = &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth}}
	w.client(t, "checkout", auth)
	pair := w.certificate(t, "checkout")
	assertion := w.assertion(t, w.pod(t, w.shop, "checkout", "checkout-0"))
	a := w.token(t, request{form: with(federated(assertion), "grant_type", "client_credentials", "scope", w.identifier+"/.default"), certificate: &pair})
	if c := claimsOf(t, a.AccessToken); c.Sub != w.shop+"/checkout" || c.Cnf["x5t#S256"] == "" {
		t.Errorf("claims: %+v", c)
	}
}
