package tokens

import (
	"bytes"
	"crypto/tls"
	"fmt"
)

// maxFile bounds the files of certificates, keys and roots.
const maxFile = 1 << 20

// CertificateFiles are a certificate and its key as cert-manager and the kubelet write
// them, and replace them.
type CertificateFiles struct {
	CertFile, KeyFile string

	cert, key []byte // as read last
	current   *tls.Certificate
}

// Load reads the files, and returns the same pointer as long as they hold the same. If
// they do not belong together, because one was replaced a moment before the other, it
// returns an error, and the caller tries again. It is called by one goroutine.
func (f *CertificateFiles) Load() (*tls.Certificate, error) {
	cert, err := readFile(f.CertFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("--cert: %w", err)
	}
	key, err := readFile(f.KeyFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	if f.current != nil && bytes.Equal(cert, f.cert) && bytes.Equal(key, f.key) {
		return f.current, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--cert=%s and --key=%s: %w", f.CertFile, f.KeyFile, err)
	}
	f.cert, f.key, f.current = cert, key, &pair
	return f.current, nil
}
