package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProxyCAsAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	if _, err := loadProxyCAs(file); err == nil || !strings.Contains(err.Error(), "--client-cert-proxy-ca") {
		t.Errorf("without the file: %v", err)
	}
	first, second := newCertificate(t, "first"), newCertificate(t, "second")
	write := func(c tls.Certificate) {
		t.Helper()
		check(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600))
	}
	write(first)
	p, err := loadProxyCAs(file)
	check(t, err)
	trusts := func(want, not tls.Certificate) {
		t.Helper()
		if _, err := want.Leaf.Verify(x509.VerifyOptions{Roots: p.pool()}); err != nil {
			t.Errorf("%s is not trusted: %v", want.Leaf.Subject, err)
		}
		if _, err := not.Leaf.Verify(x509.VerifyOptions{Roots: p.pool()}); err == nil {
			t.Errorf("%s is trusted", not.Leaf.Subject)
		}
	}
	trusts(first, second)
	if changed, err := p.load(); changed || err != nil {
		t.Errorf("the same file: %v, %v", changed, err)
	}
	// A file that is being written must not end what works.
	check(t, os.WriteFile(file, []byte("-----BEGIN CERTIF"), 0o600))
	if _, err := p.load(); err == nil {
		t.Error("a file without a certificate was taken")
	}
	trusts(first, second)
	write(second)
	if changed, err := p.load(); !changed || err != nil {
		t.Errorf("another CA: %v, %v", changed, err)
	}
	trusts(second, first)
}
