package clientcertificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// leaf is one certificate that a client can authenticate with.
type leaf struct {
	thumbprint string
	pem        string
	serial     string
	notBefore  metav1.Time
	notAfter   metav1.Time
}

const (
	certificateBlock = "CERTIFICATE"
	begin            = "-----BEGIN "
)

// parsePEM reads text that holds exactly one certificate and nothing else: a second
// one, or a key, in a public object is a mistake that must not pass unseen.
func parsePEM(text string) (leaf, error) {
	text = strings.TrimSpace(text)
	block, rest := pem.Decode([]byte(text))
	switch {
	case strings.Contains(text, "\x00"):
		return leaf{}, errors.New("it holds a NUL byte; write one PEM-encoded certificate")
	case !strings.Contains(text, begin):
		return leaf{}, errors.New("it holds no PEM block; it must begin with -----BEGIN CERTIFICATE-----")
	case !strings.HasPrefix(text, begin):
		return leaf{}, errors.New("there is text before -----BEGIN; remove it")
	case block == nil:
		return leaf{}, errors.New("its PEM block cannot be read: it is cut off, or not base64; copy it whole, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")
	case block.Type != certificateBlock:
		return leaf{}, fmt.Errorf("it holds a PEM block of type %q; it must be %s", block.Type, certificateBlock)
	case len(block.Headers) > 0:
		return leaf{}, errors.New("its PEM block has headers; remove them")
	}
	if rest = bytes.TrimSpace(rest); len(rest) > 0 {
		if second, _ := pem.Decode(rest); second != nil {
			return leaf{}, fmt.Errorf("it holds a second PEM block, of type %q; leave only the client's own certificate, without its chain", second.Type)
		}
		return leaf{}, errors.New("there is text after -----END CERTIFICATE-----; remove it")
	}
	// pem.Decode passes over what it cannot read, so what it found may not be what
	// stands first.
	if strings.Count(text, begin) != 1 {
		return leaf{}, errors.New("it holds a second PEM block that cannot be read; leave only the client's own certificate")
	}
	return parseDER(block.Bytes)
}

// parseFirst reads the first certificate of a chain, as cert-manager writes it in
// a CertificateRequest's status: the leaf.
func parseFirst(chain []byte) (leaf, error) {
	block, _ := pem.Decode(chain)
	if block == nil || block.Type != certificateBlock {
		return leaf{}, errors.New("it holds no PEM-encoded certificate")
	}
	return parseDER(block.Bytes)
}

// Limits of status.pins.
const (
	maxPEM    = 16384
	maxSerial = 64
)

func parseDER(der []byte) (leaf, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return leaf{}, fmt.Errorf("it is no X.509 certificate: %w", err)
	}
	sum := sha256.Sum256(certificate.Raw)
	l := leaf{
		thumbprint: base64.RawURLEncoding.EncodeToString(sum[:]),
		pem:        string(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw})),
		serial:     certificate.SerialNumber.Text(16),
		notBefore:  metav1.NewTime(certificate.NotBefore.UTC()),
		notAfter:   metav1.NewTime(certificate.NotAfter.UTC()),
	}
	if len(l.pem) > maxPEM || len(l.serial) > maxSerial || l.notBefore.IsZero() || l.notAfter.IsZero() {
		return leaf{}, errors.New("it is no certificate that can be recorded: at most 16 KiB of PEM, a serial number of at most 32 bytes, and dates after year 1")
	}
	return l, nil
}

// usable says why a certificate cannot be used for client authentication; nil if
// it can. A self-signed CA certificate, as `openssl req -x509` makes it, can: it is
// pinned itself, and no chain is looked at.
func (l leaf) usable() error {
	certificate, err := l.certificate()
	if err != nil {
		return err
	}
	hasEKU := len(certificate.ExtKeyUsage)+len(certificate.UnknownExtKeyUsage) > 0
	forClients := slices.ContainsFunc(certificate.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
		return u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageAny
	})
	switch {
	case hasEKU && !forClients:
		return errors.New("its extended key usage is not for client authentication; have it made with the usage clientAuth")
	case certificate.KeyUsage != 0 && certificate.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errors.New("its key usage does not allow digital signatures; have it made with the usage digitalSignature")
	}
	return usableKey(certificate.PublicKey)
}

func (l leaf) certificate() (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(l.pem))
	if block == nil {
		return nil, errors.New("it holds no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

func usableKey(key any) error {
	const write = "use RSA of at least 2048 bits, ECDSA on P-256 or P-384, or Ed25519"
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 {
			return fmt.Errorf("its RSA key has %d bits; %s", bits, write)
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
			return fmt.Errorf("its ECDSA key is on the curve %s; %s", key.Curve.Params().Name, write)
		}
	case ed25519.PublicKey:
	default:
		return errors.New("its key is of another kind; " + write)
	}
	return nil
}

// pin is the record of l in status.
func (l leaf) pin(state v1alpha1.PinState, revision int64) v1alpha1.Pin {
	return v1alpha1.Pin{
		Thumbprint: l.thumbprint, Certificate: l.pem, SerialNumber: l.serial,
		NotBefore: l.notBefore, NotAfter: l.notAfter, State: state, Revision: revision,
	}
}
