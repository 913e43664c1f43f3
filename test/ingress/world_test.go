//go:build e2e

package ingress

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
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

const (
	audience = "api://orders"
	read     = "Orders.Read.All"
	write    = "Orders.Write.All"
	apiName  = "orders.orders.svc"
	proxy    = "haproxy.edge.example"
)

// sidecar is the binary, built once.
var sidecar = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "lanyard-ingress-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "lanyard-sidecar")
	if output, err := exec.Command("go", "build", "-o", path, "../../cmd/sidecar").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/sidecar: %w\n%s", err, output)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	m.Run() // the testing package keeps its exit code
	if path, err := sidecar(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
}

// world is an issuer, an app, and the files that configurations name.
type world struct {
	t      *testing.T
	dir    string
	signer *jose.Signer
	issuer *httptest.Server
	app    *httptest.Server
	caller tls.Certificate
	api    *x509.Certificate // the API's own
	roots  *x509.CertPool    // of it

	mu      sync.Mutex
	seen    []*http.Request
	granted int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), roots: x509.NewCertPool()}
	key := newKey(t)
	var err error
	if w.signer, err = jose.NewSigner("key-1", jose.ES256, key); err != nil {
		t.Fatal(err)
	}
	keys, err := jose.MarshalJWKS([]jose.Key{w.signer.Key()})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth2/keys", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(keys) })
	mux.HandleFunc("POST /oauth2/token", w.grant)
	w.issuer = httptest.NewUnstartedServer(mux)
	w.issuer.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	w.issuer.StartTLS()
	t.Cleanup(w.issuer.Close)
	w.app = httptest.NewServer(http.HandlerFunc(w.answer))
	t.Cleanup(w.app.Close)

	api, own := newCertificate(t, apiName), newCertificate(t, proxy)
	w.api = api.Leaf
	w.roots.AddCert(w.api)
	w.caller = newCertificate(t, "checkout")
	w.write("issuer-ca.crt", pemOf(w.issuer.Certificate()))
	w.write("tls.crt", pemOf(api.Leaf))
	w.write("tls.key", keyOf(t, api))
	w.write("tls.pem", pemOf(api.Leaf)+keyOf(t, api))
	w.write("haproxy.pem", pemOf(own.Leaf)+keyOf(t, own))
	w.write("proxy-ca.crt", pemOf(own.Leaf)) // it signed itself
	return w
}

// answer is the app's: what it saw.
func (w *world) answer(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	w.seen = append(w.seen, r)
	w.mu.Unlock()
	fmt.Fprintf(rw, "%s %s %s", r.Method, r.RequestURI, body)
}

func (w *world) calls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

// last is what the app saw last.
func (w *world) last() *http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[len(w.seen)-1]
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// configuration writes a file of docs/apis with other addresses and folders. What is to be
// replaced must be in the file, so that file and test do not part.
func (w *world) configuration(name string, replace ...string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "apis", name))
	if err != nil {
		w.t.Fatal(err)
	}
	out := string(text)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(out, replace[i]) {
			w.t.Fatalf("%s does not have %q any more", name, replace[i])
		}
		out = strings.ReplaceAll(out, replace[i], replace[i+1])
	}
	w.write(name, out)
	return w.path(name)
}

// ingress starts lanyard-sidecar ingress with the rules of the documentation.
func (w *world) ingress(flags ...string) *process {
	w.t.Helper()
	path, err := sidecar()
	if err != nil {
		w.t.Fatal(err)
	}
	w.configuration("rules.yaml")
	return w.start(path, append([]string{
		"ingress", "--issuer=" + w.issuer.URL, "--ca=" + w.path("issuer-ca.crt"), "--audience=" + audience, "--rules=" + w.path("rules.yaml"),
		"--shutdown-delay=200ms",
	}, flags...)...)
}

// process runs until the test ends.
type process struct {
	cmd    *exec.Cmd
	output *output
	ended  chan struct{}
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (w *world) start(path string, args ...string) *process {
	w.t.Helper()
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(w.t.Context()), path, args...), output: &output{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	w.t.Cleanup(func() {
		p.stop()
		if w.t.Failed() {
			w.t.Logf("%s said:\n%s", filepath.Base(path), p.output)
		}
	})
	return p
}

// stop ends the process, and waits for it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// listens waits until somebody listens.
func (w *world) listens(p *process, address string) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(w.t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-p.ended:
			w.t.Fatalf("%s ended:\n%s", p.cmd.Path, p.output)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("nobody listens on %s:\n%s", address, p.output)
		}
	}
}

// free is a port that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// program is a program of the system's packages, which are installed if need be.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, args := range [][]string{{"update", "-q"}, {"install", "-y", "-q", "--no-install-recommends", pkg}} {
		if output, err := exec.CommandContext(t.Context(), "apt-get", args...).CombinedOutput(); err != nil {
			t.Fatalf("%s is missing, and apt-get (which needs root) could not install %s: install it, and run it again\n%s", name, pkg, output)
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing though %s is installed", name, pkg)
	}
	return path
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newCertificate makes one that signed itself.
func newCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func keyOf(t *testing.T, c tls.Certificate) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
