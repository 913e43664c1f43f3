package files

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// switchBound writes token and certificate into a new folder, and then has bound/<name>
// lead there.
func (w *Writer) switchBound(name string, token *tokens.Token) error {
	cert, key, err := encode(token.Certificate)
	if err != nil {
		return err
	}
	generation := w.generation[name] + 1
	folder := folderOf(name, generation)
	dir, err := empty(w.bound, folder)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	for _, f := range []struct {
		name string
		text []byte
	}{{"token", []byte(token.Value)}, {"tls.crt", cert}, {"tls.key", key}} {
		if err := w.make(dir, f.name, f.text); err != nil {
			return err
		}
	}
	link := "." + name
	if err := w.bound.RemoveAll(link); err != nil {
		return err
	}
	if err := w.bound.Symlink(folder, link); err != nil {
		return err
	}
	if info, err := w.bound.Lstat(name); err == nil && info.Mode()&os.ModeSymlink == 0 {
		// A link cannot be renamed over a folder that somebody planted.
		if err := w.bound.RemoveAll(name); err != nil {
			return err
		}
	}
	if err := w.bound.Rename(link, name); err != nil {
		return err
	}
	w.generation[name] = generation
	// The last one stays until the next switch: somebody may be reading it.
	return w.bound.RemoveAll(folderOf(name, generation-2))
}

// folderOf begins with two dots, so that it is no resource's name, nor a temporary one.
func folderOf(name string, generation int) string { return fmt.Sprintf("..%s.%d", name, generation) }

// encode writes a certificate with its chain, and its key, as PEM.
func encode(c *tls.Certificate) (cert, key []byte, err error) {
	if c == nil {
		return nil, nil, errors.New("there is no certificate beside the token")
	}
	for _, der := range c.Certificate {
		cert = append(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
