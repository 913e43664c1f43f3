// Package endpoint proves at the socket, on a real control plane, what the token,
// introspection and revocation endpoints promise. Controller and issuers run as the
// programs that they are, with the permissions of config/rbac and no others, and
// cert-manager makes the certificates.
package endpoint

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
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

// promise is how soon a change is in force at every issuer.
const promise = time.Second

// stage is a control plane with Lanyard on it: one controller, and two issuers that
// share nothing but the API server.
type stage struct {
	env *testenv.Environment
	dir string
	// url is the issuer identifier; the first issuer is there.
	url     string
	issuers []*program
	control *program
	roots   *x509.CertPool
	// proxies is the CA of the first issuer's proxies.
	proxies authority
}

// program is one of Lanyard's, running.
type program struct {
	// base is where it serves, and ops where it says whether it is ready.
	base, ops string
	cmd       *exec.Cmd
	log       *lines
}

func TestEndpoints(t *testing.T) {
	s := newStage(t)
	t.Run("a pod's own token", s.federated)
	t.Run("private_key_jwt", s.privateKeyJWT)
	t.Run("the subject of a certificate", s.subject)
	t.Run("Oracle's form", s.oracle)
	t.Run("Entra's form", s.entra)
	t.Run("DPoP", s.dpop)
	t.Run("client secrets", s.secrets)
	t.Run("metadata", s.metadata)
	t.Run("introspection", s.introspection)
	t.Run("who may introspect", s.introspectors)
	t.Run("revocation", s.revocation)
	t.Run("Client-Cert", s.proxied)
	t.Run("a dropped signing key", s.dropped)
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{env: testenv.New(t, testenv.Options{CertManager: true}), dir: t.TempDir(), roots: x509.NewCertPool()}
	s.env.Kubectl(t, "apply", "-f", "config/default/namespace.yaml")
	s.env.Kubectl(t, "apply", "-k", "config/rbac")
	for _, file := range []string{"role.yaml", "policy.yaml"} {
		s.env.Kubectl(t, "apply", "-f", "config/components/client-secrets/"+file)
	}
	s.writeCertificate(t)

	s.control = s.start(t, "controller", "--allowed-issuers=ClusterIssuer/"+testenv.WorkloadCA,
		"--metrics-listen=0", "--health-listen=0", "--webhook-listen=0", "--leader-elect=false", "--client-secrets")
	s.proxies = newAuthority(t)
	proxies := filepath.Join(s.dir, "proxies.crt")
	check(t, os.WriteFile(proxies, []byte(s.proxies.pem), 0o600))
	// The second issuer has nothing switched on that is off by default.
	for _, extra := range [][]string{
		{"--client-secrets", "--mtls-url=https://mtls.example", "--client-cert-proxy-ca=" + proxies, "--client-cert-proxy-name=" + proxyName},
		nil,
	} {
		public, ops := freePort(t), freePort(t)
		if s.url == "" {
			s.url = "https://" + public
		}
		issuer := s.start(t, "issuer", append(extra, "--issuer-url="+s.url, "--listen="+public, "--ops-listen="+ops, "--shutdown-delay=0s",
			"--tls-cert="+filepath.Join(s.dir, "tls.crt"), "--tls-key="+filepath.Join(s.dir, "tls.key"))...)
		issuer.base, issuer.ops = "https://"+public, "http://"+ops
		s.issuers = append(s.issuers, issuer)
	}
	for _, issuer := range s.issuers {
		testenv.Eventually(t, func(ctx context.Context) error { return issuer.ready(ctx) })
	}
	return s
}

// start builds a program and runs it as its service account until the test ends.
func (s *stage) start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	binary := filepath.Join(s.dir, name)
	if _, err := os.Stat(binary); err != nil {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/"+name)
		build.Dir = s.env.Root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
	}
	kubeconfig := s.env.Kubeconfig(t, "system:serviceaccount:lanyard-system:lanyard-"+name,
		"system:serviceaccounts", "system:serviceaccounts:lanyard-system", "system:authenticated")
	p := &program{log: &lines{}}
	p.cmd = exec.Command(binary, append(args, "--kubeconfig="+kubeconfig)...) // without the test's context: the cleanup ends it in good order
	p.cmd.Stderr = p.log
	check(t, p.cmd.Start())
	t.Cleanup(func() {
		check(t, p.cmd.Process.Signal(syscall.SIGTERM))
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("the %s ended with %v", name, err)
		}
		if t.Failed() {
			t.Logf("log of the %s:\n%s", name, p.log.end())
		}
	})
	return p
}

func (p *program) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ops+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz: %s\n%s", resp.Status, p.log.end())
	}
	return nil
}

// get reads one of a program's documents.
func (s *stage) get(t *testing.T, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	check(t, err)
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}}
	resp, err := c.Do(req)
	check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %s", url, resp.Status, body)
	}
	return body
}

// writeCertificate makes the issuers' own certificate.
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
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.roots.AppendCertsFromPEM(certificate)
	check(t, os.WriteFile(filepath.Join(s.dir, "tls.crt"), certificate, 0o600))
	check(t, os.WriteFile(filepath.Join(s.dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
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

// within checks that something comes to be so within the promise.
func within(t *testing.T, what string, so func() error) {
	t.Helper()
	began := time.Now()
	for {
		err := so()
		took := time.Since(began)
		if err == nil && took <= promise {
			t.Logf("%s: in force after %s", what, took.Round(time.Millisecond))
			return
		}
		if took > promise {
			t.Fatalf("%s: not in force after %s: %v", what, took, err)
		}
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
