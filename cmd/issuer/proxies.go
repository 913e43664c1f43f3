package main

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
)

var errNoCertificate = errors.New("holds no certificate in PEM")

// proxyCAs are the CAs of proxies, read again when their file changes.
type proxyCAs struct {
	file    string
	current atomic.Pointer[x509.CertPool]
	pem     []byte // as read last
}

// loadProxyCAs reads the file for the first time. Without a file there are no
// proxies: nil.
func loadProxyCAs(file string) (*proxyCAs, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // that there are no proxies is no error
	}
	p := &proxyCAs{file: file}
	if _, err := p.load(); err != nil {
		return nil, err
	}
	return p, nil
}

// load reads the file, and says whether it holds other CAs than before.
func (p *proxyCAs) load() (changed bool, err error) {
	pem, err := os.ReadFile(p.file)
	if err != nil {
		return false, fmt.Errorf("--client-cert-proxy-ca: %w", err)
	}
	if bytes.Equal(pem, p.pem) {
		return false, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return false, fmt.Errorf("--client-cert-proxy-ca=%s: %w", p.file, errNoCertificate)
	}
	p.pem = pem
	p.current.Store(pool)
	return true, nil
}

// trusted are the proxies with one of these names; nil: nobody.
func (p *proxyCAs) trusted(names []string) *httpapi.Proxies {
	if p == nil {
		return nil
	}
	return &httpapi.Proxies{CAs: p.pool, Names: names}
}

// pool is whom a proxy's certificate must be signed by now.
func (p *proxyCAs) pool() *x509.CertPool { return p.current.Load() }
