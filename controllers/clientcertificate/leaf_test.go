package clientcertificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestUsable(t *testing.T) {
	must := func(key crypto.Signer, err error) crypto.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ec := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		return must(key, err)
	}
	rs := func(bits int) crypto.Signer { key, err := rsa.GenerateKey(rand.Reader, bits); return must(key, err) }
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	ed = must(ed, err).(ed25519.PrivateKey)
	tests := map[string]struct {
		key    crypto.Signer
		change func(*x509.Certificate)
		want   string // part of the message; empty: usable
	}{
		"P-256":                       {ec(elliptic.P256()), nil, ""},
		"P-384":                       {ec(elliptic.P384()), nil, ""},
		"P-521":                       {ec(elliptic.P521()), nil, "P-521"},
		"P-224":                       {ec(elliptic.P224()), nil, "P-224"},
		"Ed25519":                     {ed, nil, ""},
		"RSA of 2048 bits":            {rs(2048), nil, ""},
		"RSA of 1024 bits":            {rs(1024), nil, "1024 bits"},
		"a self-signed CA":            {ed, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, ""},
		"for clients":                 {ed, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, ""},
		"for anything":                {ed, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, ""},
		"for servers":                 {ed, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "clientAuth"},
		"for something unknown":       {ed, func(c *x509.Certificate) { c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, []int{1, 2, 3}) }, "clientAuth"},
		"for digital signatures":      {ed, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign }, ""},
		"for certificates only":       {ed, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }, "digitalSignature"},
		"for the agreement of a key":  {ec(elliptic.P256()), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }, "digitalSignature"},
		"for the encryption of a key": {rs(2048), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, "digitalSignature"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: noon, NotAfter: noon.Add(time.Hour)}
			if test.change != nil {
				test.change(template)
			}
			der, err := x509.CreateCertificate(rand.Reader, template, template, test.key.Public(), test.key)
			if err != nil {
				t.Fatal(err)
			}
			l, err := parseDER(der)
			if err != nil {
				t.Fatal(err)
			}
			switch err := l.usable(); {
			case err == nil && test.want != "":
				t.Errorf("it is usable; want a message with %q", test.want)
			case err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)):
				t.Errorf("err = %v; want %q", err, test.want)
			}
		})
	}
}

func TestParsePEMSaysWhatWasFound(t *testing.T) {
	good := madePEM(t, 0, time.Hour)
	block, _ := pem.Decode([]byte(good))
	tests := map[string]struct{ text, want string }{
		"one certificate":                 {good, ""},
		"blanks and new lines around":     {"\n  " + good + "\r\n\n", ""},
		"new lines of Windows":            {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"nothing":                         {"", "no PEM block"},
		"only the first line":             {"-----BEGIN CERTIFICATE-----", "cut off"},
		"without its last line":           {strings.TrimSuffix(good, "-----END CERTIFICATE-----\n"), "cut off"},
		"a second certificate":            {good + good, "second PEM block"},
		"a second block that is cut off":  {good + "-----BEGIN CERTIFICATE-----\nAAAA", "text after"},
		"a first block that is cut off":   {"-----BEGIN CERTIFICATE-----\nAA%A\n" + good, "second PEM block"},
		"text before":                     {"subject=checkout\n" + good, "text before"},
		"text after":                      {good + "and more", "text after"},
		"another type":                    {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: block.Bytes})), `type "PUBLIC KEY"`},
		"headers":                         {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: block.Bytes})), "headers"},
		"no certificate inside":           {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("none")})), "no X.509 certificate"},
		"bytes behind the certificate":    {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: append(block.Bytes, 0)})), "no X.509 certificate"},
		"a NUL byte":                      {good[:40] + "\x00" + good[40:], "NUL"},
		"a certificate without its armor": {strings.Split(good, "\n")[1], "no PEM block"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			switch _, err := parsePEM(test.text); {
			case err == nil && test.want != "":
				t.Errorf("it was read; want a message with %q", test.want)
			case err != nil && (test.want == "" || !strings.Contains(err.Error(), test.want)):
				t.Errorf("err = %v; want %q", err, test.want)
			}
		})
	}
}

// Whatever is read must be recordable: it is written back as one certificate with
// the same thumbprint, and fits the schema of status.pins.
func FuzzParsePEM(f *testing.F) {
	good := madePEM(f, 0, time.Hour)
	for _, seed := range []string{good, good + good, "", "x" + good, good[:100], "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parsePEM(text)
		if err != nil {
			if l != (leaf{}) {
				t.Error("an error and a certificate")
			}
			return
		}
		if len(l.thumbprint) != 43 || len(l.pem) > maxPEM || len(l.serial) > maxSerial || l.notBefore.IsZero() || l.notAfter.IsZero() {
			t.Errorf("%+v does not fit into status", l)
		}
		if again, err := parsePEM(l.pem); err != nil || again != l {
			t.Errorf("read again: %+v, %v; want %+v", again, err, l)
		}
		_ = l.usable() // must not panic
	})
}
