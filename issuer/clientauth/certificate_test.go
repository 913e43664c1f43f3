package clientauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// authority makes a CA, and returns it and what issues certificates for a name.
func authority(t *testing.T) (*x509.Certificate, func(dns string) rules.Peer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "workload-ca"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	certify := func(template *x509.Certificate) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	ca = certify(ca)
	return ca, func(dns string) rules.Peer {
		return rules.PeerOf([]*x509.Certificate{certify(&x509.Certificate{
			SerialNumber: big.NewInt(2), NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Minute), DNSNames: []string{dns},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})})
	}
}

// RFC 8705's PKI method: any certificate of the CA with the name is the client's.
func TestCertificateBySubject(t *testing.T) {
	ca, issue := authority(t)
	_, forge := authority(t) // a CA of the same name, with another key
	good := issue("checkout.shop")
	subject := func(r *registry.Registry, name, client string, distrust ...v1alpha1.Thumbprint) {
		r.ApplyCertificate(&v1alpha1.ClientCertificate{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec: v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: client}, Distrust: distrust, Subject: &v1alpha1.SubjectSource{
				CABundle: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})), DNS: "checkout.shop",
			}},
		})
	}
	for name, tc := range map[string]struct {
		client   string
		peer     rules.Peer
		change   func(*registry.Registry)
		accepted bool
	}{
		"a certificate of the CA with the name":            {client: "shop/checkout", peer: good, accepted: true},
		"and another one, of another pod":                  {client: "shop/checkout", peer: issue("checkout.shop"), accepted: true},
		"another name":                                     {client: "shop/checkout", peer: issue("evil.shop")},
		"a CA that has the name and not the key":           {client: "shop/checkout", peer: forge("checkout.shop")},
		"a client whose rule it is not":                    {client: "shop/federated", peer: good},
		"a client that lists only self-signed ones":        {client: "shop/selfsigned", peer: good, change: func(r *registry.Registry) { subject(r, "also", "selfsigned") }},
		"a certificate that is distrusted by name":         {client: "shop/checkout", peer: good, change: func(r *registry.Registry) { subject(r, "rule", "checkout", v1alpha1.Thumbprint(good.Thumbprint)) }},
		"a rule that is gone":                              {client: "shop/checkout", peer: good, change: func(r *registry.Registry) { r.DeleteCertificate("shop", "rule") }},
		"a client that nobody knows":                       {client: "shop/nobody", peer: good},
		"a thumbprint alone, without the certificate":      {client: "shop/checkout", peer: rules.Peer{Thumbprint: good.Thumbprint}},
		"a certificate of a client that is stopped, alike": {client: "shop/suspended", peer: good, change: func(r *registry.Registry) { subject(r, "also", "suspended") }},
	} {
		t.Run(name, func(t *testing.T) {
			a := newWorld(t).authenticator()
			subject(a.Registry, "rule", "checkout")
			if tc.change != nil {
				tc.change(a.Registry)
			}
			got, refusal := a.Authenticate(t.Context(), clientauth.Presented{ClientID: tc.client, Peer: tc.peer}, now, &clientauth.Seen{})
			switch {
			case tc.accepted && refusal != nil:
				t.Errorf("refused: %v", refusal)
			case tc.accepted && got.Method != oauth.AuthTLSClient:
				t.Errorf("authenticated by %s", got.Method)
			case !tc.accepted && (refusal == nil || refusal.Number != oauth.ErrIdentity):
				t.Errorf("got %v", refusal)
			}
		})
	}
}
