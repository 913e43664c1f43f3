//go:build e2e

package interop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// authority is the CA of the servers' certificate, which every client is told to trust, and
// of the certificates of the client pki.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte
}

// pair is a certificate and its key as files: paths, because that is what libraries take.
type pair struct {
	certificate, key string
	thumbprint       [sha256.Size]byte
}

// x5t is the thumbprint as x5t#S256 has it (RFC 8705 section 3.1).
func (p pair) x5t() string { return base64.RawURLEncoding.EncodeToString(p.thumbprint[:]) }

func (w *world) caFile() string { return w.path("ca.crt") }

// makeServerCertificate makes the certificate that issuer and orders API serve with, and its CA.
func (w *world) makeServerCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := certificateTemplate("Interop CA")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	w.ca = authority{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if err := os.WriteFile(w.caFile(), w.ca.pem, 0o600); err != nil {
		return err
	}
	server := certificateTemplate("server")
	server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return w.writePair("server", server, certificate, key)
}

func certificateTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

// writePair makes a key and a certificate for it, signed by parent, or by itself if there is none.
func (w *world) writePair(name string, template, parent *x509.Certificate, signer crypto.Signer) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(w.path(name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(w.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}

// importCertificates declares what was made elsewhere: certificates that are pinned, and a CA
// with the name that its certificates must have.
func (w *world) importCertificates(ctx context.Context) error {
	for _, name := range []string{"assertion", "dpop", "self-signed"} {
		if err := w.writePair(name, certificateTemplate(name), nil, nil); err != nil {
			return err
		}
		text, err := os.ReadFile(w.path(name + ".crt"))
		if err != nil {
			return err
		}
		if err := w.kube.Create(ctx, clientCertificate(name, v1alpha1.ClientCertificateSpec{PEM: string(text)})); err != nil {
			return err
		}
	}
	const host = "pki.shop.example"
	subject := &v1alpha1.SubjectSource{CABundle: string(w.ca.pem), DNS: host}
	if err := w.kube.Create(ctx, clientCertificate("pki", v1alpha1.ClientCertificateSpec{Subject: subject})); err != nil {
		return err
	}
	for name, dns := range map[string]string{"pki": host, "pki-stranger": "other.shop.example"} {
		leaf := certificateTemplate(name)
		leaf.DNSNames, leaf.ExtKeyUsage = []string{dns}, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if err := w.writePair(name, leaf, w.ca.certificate, w.ca.key); err != nil {
			return err
		}
	}
	return nil
}

// clientCertificate is for the client of the shop that has the same name.
func clientCertificate(name string, spec v1alpha1.ClientCertificateSpec) *v1alpha1.ClientCertificate {
	spec.ClientRef.Name = name
	return &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: spec}
}

// imported is a certificate of importCertificates.
func (w *world) imported(t *testing.T, name string) pair {
	t.Helper()
	return readPair(t, w.path(name+".crt"), w.path(name+".key"))
}

// issued is the certificate of cert-manager in a Secret of the shop, as a pod would mount it.
func (w *world) issued(t *testing.T, name string) pair {
	t.Helper()
	data, err := w.secret(t.Context(), "shop", name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key := dir+"/tls.crt", dir+"/tls.key"
	if err := errors.Join(os.WriteFile(certificate, data["tls.crt"], 0o600), os.WriteFile(key, data["tls.key"], 0o600)); err != nil {
		t.Fatal(err)
	}
	return readPair(t, certificate, key)
}

func readPair(t *testing.T, certificate, key string) pair {
	t.Helper()
	data, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s holds no certificate", certificate)
	}
	return pair{certificate, key, sha256.Sum256(block.Bytes)}
}
