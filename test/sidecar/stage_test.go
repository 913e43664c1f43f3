// Package sidecar proves, on a real control plane, what the sidecar promises: the real
// binary asks real issuers, with certificates that cert-manager makes and files that are
// replaced as the kubelet does it.
package sidecar

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// stage is a control plane with Lanyard on it: a controller, and an issuer that can be
// stopped and started.
type stage struct {
	env    *testenv.Environment
	dir    string
	url    string // the issuer identifier
	issuer *program
}

// program is one of Lanyard's.
type program struct {
	binary string
	args   []string
	log    *lines
	cmd    *exec.Cmd
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{env: testenv.New(t, testenv.Options{CertManager: true}), dir: t.TempDir()}
	s.env.Kubectl(t, "apply", "-f", "config/default/namespace.yaml")
	s.env.Kubectl(t, "apply", "-k", "config/rbac")
	s.writeCertificate(t)
	s.newProgram(t, "controller", "--allowed-issuers=ClusterIssuer/"+testenv.WorkloadCA, "--metrics-listen=0", "--health-listen=0",
		"--webhook-listen=0", "--leader-elect=false", "--kubeconfig="+s.kubeconfig(t, "controller")).start(t)
	public, ops := freePort(t), freePort(t)
	s.url = "https://" + public
	s.issuer = s.newProgram(t, "issuer", "--issuer-url="+s.url, "--listen="+public, "--ops-listen="+ops, "--shutdown-delay=0s",
		"--tls-cert="+s.file("tls.crt"), "--tls-key="+s.file("tls.key"), "--kubeconfig="+s.kubeconfig(t, "issuer"))
	s.issuer.start(t)
	testenv.Eventually(t, func(ctx context.Context) error {
		_, err := fetch(ctx, "http://"+ops+"/readyz", nil)
		return err
	})
	return s
}

func (s *stage) file(name string) string { return filepath.Join(s.dir, name) }

// kubeconfig is that of a program's service account.
func (s *stage) kubeconfig(t *testing.T, name string) string {
	t.Helper()
	return s.env.Kubeconfig(t, "system:serviceaccount:lanyard-system:lanyard-"+name,
		"system:serviceaccounts", "system:serviceaccounts:lanyard-system", "system:authenticated")
}

// newProgram builds a program as it is shipped.
func (s *stage) newProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{binary: s.file(name), args: args, log: &lines{}}
	if _, err := os.Stat(p.binary); err != nil {
		build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", p.binary, "./cmd/"+name)
		build.Dir = s.env.Root
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
	}
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.log.end())
		}
	})
	return p
}

func (p *program) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command(p.binary, p.args...) // without the test's context: it is ended in good order
	p.cmd.Stderr = p.log
	check(t, p.cmd.Start())
}

// stop tells the program to end, and fails the test unless it does so in good order.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	check(t, p.cmd.Process.Signal(syscall.SIGTERM))
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%s ended with %v", filepath.Base(p.binary), err)
	}
	p.cmd = nil
}

// writeCertificate makes the issuer's own certificate, which is its own CA.
func (s *stage) writeCertificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	check(t, os.WriteFile(s.file("tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(s.file("tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// fetch reads a document.
func fetch(ctx context.Context, url string, header http.Header) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", url, resp.Status, body)
	}
	return string(body), err
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines keeps what a program logs.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// end is the last of it.
func (l *lines) end() string {
	const most = 8000
	s := l.text()
	return s[max(0, len(s)-most):]
}
