package stand

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// Certificate is one with its private key: DER, and PKCS #8 DER.
type Certificate struct {
	DER, Key []byte
}

// newCertificate makes one for a key; nil: a new one on P-256.
func newCertificate(name string, key crypto.Signer, now time.Time, change func(*x509.Certificate)) (c Certificate, err error) {
	if key == nil {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return Certificate{}, err
		}
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	change(template)
	if c.DER, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		return Certificate{}, err
	}
	c.Key, err = x509.MarshalPKCS8PrivateKey(key)
	return c, err
}

// TLS is the certificate ready for crypto/tls.
func (c Certificate) TLS() (tls.Certificate, error) {
	key, err := x509.ParsePKCS8PrivateKey(c.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(c.DER)
	return tls.Certificate{Certificate: [][]byte{c.DER}, PrivateKey: key, Leaf: leaf}, err
}

// PEM is the certificate as it stands in a pin.
func (c Certificate) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER}))
}
