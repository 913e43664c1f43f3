package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificateEvery is how often the files are looked at. The kubelet replaces them
// long before the certificate ends.
const certificateEvery = 10 * time.Second

// certificate is the issuer's own certificate, read again when its files change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	current   atomic.Pointer[tls.Certificate]
	cert, key []byte // as read last
}

// loadCertificate reads the files for the first time.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// load reads the files, and says whether they hold another certificate than before.
func (c *certificate) load() (changed bool, err error) {
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return false, fmt.Errorf("--tls-cert: %w", err)
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return false, fmt.Errorf("--tls-key: %w", err)
	}
	if bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return false, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("--tls-cert=%s --tls-key=%s: %w", c.certFile, c.keyFile, err)
	}
	c.cert, c.key = cert, key
	c.current.Store(&pair)
	return true, nil
}

// run looks at the files until ctx ends. What cannot be read leaves the certificate
// that was read before in use.
func (c *certificate) run(ctx context.Context) {
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch changed, err := c.load(); {
		case err != nil:
			c.log.Error("the issuer's certificate cannot be read again; the one in use stays", "error", err)
		case changed:
			c.log.Info("the issuer's certificate was read again", "not_after", c.current.Load().Leaf.NotAfter)
		}
	}
}

// get is the GetCertificate of a tls.Config.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}
