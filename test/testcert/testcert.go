// Package testcert makes certificates for tests. Only tests import it.
package testcert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// New makes a certificate that signed itself, for an hour: a client's, and a server's of that
// name and of localhost. It may sign others. changes are made before it is signed.
func New(t testing.TB, name string, changes ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	return WithKey(t, newKey(t), name, changes...)
}

// WithKey is [New] for a key that is there already.
func WithKey(t testing.TB, key crypto.Signer, name string, changes ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := newTemplate(t, name, changes)
	return sign(t, template, key, template, key)
}

// SignedBy is [New] where ca signs.
func SignedBy(t testing.TB, ca tls.Certificate, name string, changes ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	isLeaf := func(c *x509.Certificate) { c.IsCA = false }
	template := newTemplate(t, name, append([]func(*x509.Certificate){isLeaf}, changes...))
	return sign(t, template, newKey(t), ca.Leaf, ca.PrivateKey)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newTemplate(t testing.TB, name string, changes []func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	for _, change := range changes {
		change(template)
	}
	return template
}

func sign(t testing.TB, template *x509.Certificate, key crypto.Signer, parent *x509.Certificate, signer crypto.PrivateKey) tls.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
