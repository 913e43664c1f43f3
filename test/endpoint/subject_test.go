package endpoint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// authority is a CA that gives each pod a certificate of its own.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Pods CA"}, NotBefore: time.Now().Add(-time.Minute),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	certificate, err := x509.ParseCertificate(der)
	check(t, err)
	return authority{certificate, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// issue makes a certificate for one DNS name.
func (a authority) issue(t *testing.T, name string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Minute),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	check(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// subject: any certificate of a CA with the right name authenticates (RFC 8705 section 2.1).
func (s *stage) subject(t *testing.T) {
	w := s.newWorld(t, unbound)
	pods, others := newAuthority(t), newAuthority(t)
	w.client(t, "checkout", byCertificate(v1alpha1.MethodTLSClientAuth))
	rule := create(t, s, &v1alpha1.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "checkout"},
		Spec: v1alpha1.ClientCertificateSpec{
			ClientRef: v1alpha1.LocalReference{Name: "checkout"},
			Subject:   &v1alpha1.SubjectSource{CABundle: pods.pem, DNS: "checkout.shop.example"},
		},
	})
	api := w.introspector(t, w.orders)
	ask := func(c *tls.Certificate) request {
		return request{path: tokenPath, form: form("grant_type", "client_credentials", "client_id", w.id("checkout"), "scope", w.scope()), certificate: c}
	}
	one, two := pods.issue(t, "checkout.shop.example"), pods.issue(t, "checkout.shop.example")
	token := w.token(t, ask(one)).AccessToken
	for _, pair := range []*tls.Certificate{one, two} {
		if c := claimsOf(t, w.token(t, ask(pair)).AccessToken); c.Cnf["x5t#S256"] != thumbprint(pair) {
			t.Errorf("cnf is %v; want that of the pod's own certificate", c.Cnf)
		}
	}
	for name, pair := range map[string]*tls.Certificate{
		"another name":                    pods.issue(t, "packing.shop.example"),
		"a name below":                    pods.issue(t, "a.checkout.shop.example"),
		"another CA that names itself so": others.issue(t, "checkout.shop.example"),
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if a := s.post(t, ask(pair)); a.status != 401 {
				t.Errorf("got %d %s", a.status, a.raw)
			}
		})
	}
	t.Run("ends with its rule, also for tokens", func(t *testing.T) {
		active := func() answer {
			return s.post(t, request{path: introspectPath, form: with(federated(api), "token", token)})
		}
		named := func(dns string) {
			change(t, s, rule, func(cc *v1alpha1.ClientCertificate) { cc.Spec.Subject.DNS = dns })
		}
		within(t, "another rule", func() func() error {
			named("checkout.shop.example")
			s.eventually(t, func() error {
				if a := active(); !a.Active {
					return fmt.Errorf("before: %d %s", a.status, a.raw)
				}
				return s.post(t, ask(one)).served()
			})
			named("other.shop.example")
			return func() error { return s.post(t, ask(one)).refused(oauth.ErrIdentity) }
		})
		if a := active(); a.Active {
			t.Errorf("a token of the old rule: %d %s", a.status, a.raw)
		}
	})
}
