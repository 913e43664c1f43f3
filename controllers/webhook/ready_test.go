package webhook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestServingShowsACertificateThatIsValidNow(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	defer server.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	const closed = "127.0.0.1:1" // which the kernel gives to nobody

	tests := map[string]struct {
		address string
		now     time.Time
		says    string // part of the error; empty: ready
	}{
		"valid now":                  {server.Listener.Addr().String(), noon, ""},
		"at its first second":        {server.Listener.Addr().String(), template.NotBefore.Add(time.Second), ""},
		"not valid yet":              {server.Listener.Addr().String(), noon.Add(-2 * time.Hour), "is not valid before 2026-05-01T10:00:00Z"},
		"expired":                    {server.Listener.Addr().String(), noon.Add(2 * time.Hour), "has expired at 2026-05-01T12:00:00Z"},
		"not TLS at all":             {plain.Listener.Addr().String(), noon, "cannot be reached"},
		"nobody listens at the port": {closed, noon, "cannot be reached"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := Serving(test.address, func() time.Time { return test.now })(httptest.NewRequest(http.MethodGet, "/readyz", nil))
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("err = %v; want %q", err, test.says)
			}
		})
	}
}
