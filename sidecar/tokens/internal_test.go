package tokens

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRefreshIsSpread(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		life   time.Duration
		random float64
		want   time.Duration
	}{
		"earliest":              {10 * time.Minute, 0, 450 * time.Second},
		"middle":                {10 * time.Minute, 0.5, 480 * time.Second},
		"latest":                {10 * time.Minute, 0.999999, 510 * time.Second},
		"the shortest there is": {30 * time.Second, 0.5, 24 * time.Second},
		"one that hardly lives": {time.Second, 0.5, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			got := refreshAt(&Token{IssuedAt: at, ExpiresAt: at.Add(test.life)}, test.random).Sub(at)
			if got.Round(time.Second) != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestBackoffGrowsAndIsSpread(t *testing.T) {
	for name, test := range map[string]struct {
		failures   int
		retryAfter time.Duration
		random     float64
		want       time.Duration
	}{
		"the first, at least":         {1, 0, 0, 100 * time.Millisecond},
		"the first, at most":          {1, 0, 1, 200 * time.Millisecond},
		"the fourth":                  {4, 0, 0.5, 1200 * time.Millisecond},
		"the longest":                 {1000, 0, 1, 20 * time.Second},
		"what the issuer asks for":    {1, 2 * time.Second, 0, 2 * time.Second},
		"spread after that":           {8, 30 * time.Second, 1, 40 * time.Second},
		"not what nobody can mean":    {1, 24 * time.Hour, 0, time.Minute},
		"less than what it waits for": {100, time.Second, 0, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := backoff(test.failures, test.retryAfter, test.random); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// After an outage every sidecar must be fresh within 30 s.
func TestTheLongestWaitAndTheLongestAttemptAreBelowHalfAMinute(t *testing.T) {
	if total := maxBackoff + attemptTimeout; total >= 30*time.Second {
		t.Errorf("they are %s", total)
	}
}

func TestCertificateFiles(t *testing.T) {
	dir := t.TempDir()
	f := &CertificateFiles{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	write := func(file string, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Load(); err == nil {
		t.Error("loaded what is not there")
	}
	cert, key := pair(t)
	write(f.CertFile, cert)
	write(f.KeyFile, key)
	first, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := f.Load(); err != nil || again != first {
		t.Errorf("another one for the same files, %v", err)
	}
	nextCert, nextKey := pair(t)
	write(f.CertFile, nextCert) // and the key not yet
	if torn, err := f.Load(); err == nil {
		t.Errorf("loaded %v of files that do not belong together", Thumbprint(torn))
	}
	write(f.KeyFile, nextKey)
	if next, err := f.Load(); err != nil || next == first || Thumbprint(next) == Thumbprint(first) {
		t.Errorf("the new one was not loaded: %v", err)
	}
}

func pair(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(200, `{"access_token":"e30.eyJjbmYiOnsieDV0I1MyNTYiOiJhIn19.c2ln","expires_in":600}`)
	f.Add(400, `{"error":"invalid_scope","error_description":"x","error_codes":[30001]}`)
	f.Add(503, "")
	f.Fuzz(func(t *testing.T, status int, body string) {
		g, err := parseAnswer("api://orders", status, http.Header{}, []byte(body))
		switch {
		case err == nil && (g.AccessToken == "" || !tokenText(g.AccessToken) || g.ExpiresIn <= 0 || g.ExpiresIn > maxLife):
			t.Errorf("accepted %+v", g)
		case err != nil && g != (Grant{}):
			t.Errorf("a grant beside an error: %+v", g)
		}
	})
}
