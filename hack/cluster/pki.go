package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificateLifetime is long: the cluster of a demo is thrown away, not renewed.
const certificateLifetime = 5 * 365 * 24 * time.Hour

// authority is a CA whose key stands in a state folder.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// keyPair is a certificate and its key, PEM-encoded.
type keyPair struct{ certificate, key []byte }

// openAuthority loads the CA <dir>/<name>.crt, or makes it.
func openAuthority(dir, name string, now time.Time) (authority, error) {
	pair, err := loadKeyPair(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		pair, err = newAuthority("lanyard-local-"+name, now)
		if err == nil {
			err = pair.save(dir, name)
		}
	}
	if err != nil {
		return authority{}, err
	}
	certificate, err := decodePEM(pair.certificate, x509.ParseCertificate)
	if err != nil {
		return authority{}, fmt.Errorf("%s/%s.crt: %w", dir, name, err)
	}
	key, err := decodePEM(pair.key, x509.ParseECPrivateKey)
	if err != nil {
		return authority{}, fmt.Errorf("%s/%s.key: %w", dir, name, err)
	}
	return authority{certificate, key}, nil
}

func newAuthority(name string, now time.Time) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	template := newTemplate(pkix.Name{CommonName: name}, now)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	return authority{template, key}.sign(template, key)
}

func newTemplate(subject pkix.Name, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetInt64(now.UnixNano()),
		Subject:      subject,
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certificateLifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// sign signs the template for a key that is given out with it.
func (a authority) sign(template *x509.Certificate, key *ecdsa.PrivateKey) (keyPair, error) {
	certificate, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return keyPair{}, err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
	}, nil
}

// server issues a certificate for a server on loopback that is also a client of its like, as
// the one member of an etcd cluster is.
func (a authority) server(name string, dnsNames []string, now time.Time) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	template := newTemplate(pkix.Name{CommonName: name}, now)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = append([]string{"localhost"}, dnsNames...)
	// 10.96.0.1 is the first address of serviceRange, the Service "kubernetes"; then a node's.
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1), net.ParseIP(nodeAddress)}
	return a.sign(template, key)
}

// client issues a certificate that Kubernetes takes for the user of that name and groups.
func (a authority) client(username string, groups []string, now time.Time) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, err
	}
	template := newTemplate(pkix.Name{CommonName: username, Organization: groups}, now)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(template, key)
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// newServiceAccountKey makes the key that signs service accounts' tokens: RSA, as almost every
// cluster has it.
func newServiceAccountKey() (keyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return keyPair{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}, nil
}

func loadKeyPair(dir, name string) (keyPair, error) {
	certificate, err := os.ReadFile(filepath.Join(dir, name+".crt"))
	if err != nil {
		return keyPair{}, err
	}
	key, err := os.ReadFile(filepath.Join(dir, name+".key"))
	return keyPair{certificate, key}, err
}

// save writes the certificate last: where it stands, the key does too.
func (p keyPair) save(dir, name string) error {
	if err := writeFileAtomically(filepath.Join(dir, name+".key"), p.key); err != nil {
		return err
	}
	return writeFileAtomically(filepath.Join(dir, name+".crt"), p.certificate)
}

// ensureKeyPair makes a pair unless it is there.
func ensureKeyPair(dir, name string, create func() (keyPair, error)) error {
	_, err := loadKeyPair(dir, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	pair, err := create()
	if err != nil {
		return err
	}
	return pair.save(dir, name)
}

func decodePEM[T any](data []byte, parse func([]byte) (T, error)) (T, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		var none T
		return none, errors.New("no PEM block")
	}
	return parse(block.Bytes)
}

// ServingCertificate makes <dir>/<name>.crt and <dir>/<name>.key, for a server on loopback that
// may have further names, from a CA that it keeps as <dir>/<name>-ca.crt, and returns the CA's
// certificate. What is there already is kept.
func ServingCertificate(dir, name string, dnsNames ...string) (caPEM []byte, err error) {
	now := time.Now()
	ca, err := openAuthority(dir, name+"-ca", now)
	if err != nil {
		return nil, err
	}
	return ca.pem(), ensureKeyPair(dir, name, func() (keyPair, error) { return ca.server(name, dnsNames, now) })
}
