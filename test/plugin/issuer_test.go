package plugin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// issuerName is what the issuer calls itself here: a name that only --connect-to
// reaches, as that of a cluster's Service is from outside.
const issuerName = "https://lanyard-issuer.lanyard-system.svc"

// issuer is one that runs.
type issuer struct {
	// address is where it listens, ca the file with the CA of its certificate, log the
	// one that it logs to.
	address, ca, log string
}

// flags lead kubectl-lanyard to it, as they do beside kubectl port-forward.
func (i *issuer) flags(args ...string) []string {
	return append(args, "--connect-to", i.address, "--issuer-ca", i.ca)
}

// startIssuer runs the issuer as its service account until the test ends.
func startIssuer(t *testing.T) *issuer {
	t.Helper()
	dir := t.TempDir()
	i := &issuer{address: freePort(t), ca: filepath.Join(dir, "tls.crt"), log: filepath.Join(dir, "issuer.log")}
	ops := freePort(t)
	writeServingCertificate(t, dir)
	path := filepath.Join(filepath.Dir(binary), "issuer")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/issuer")
	build.Dir = env.Root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the issuer: %v\n%s", err, out)
	}
	cmd := exec.Command(path, // without the test's context: the cleanup ends it in good order
		"--kubeconfig="+env.Kubeconfig(t, "system:serviceaccount:lanyard-system:lanyard-issuer", testenv.ControllerGroups()...),
		"--issuer-url="+issuerName, "--listen="+i.address, "--ops-listen="+ops, "--shutdown-delay=0s",
		"--tls-cert="+i.ca, "--tls-key="+filepath.Join(dir, "tls.key"))
	log, err := os.Create(i.log)
	check(t, err)
	defer log.Close()
	cmd.Stderr = log
	check(t, cmd.Start())
	t.Cleanup(func() {
		check(t, cmd.Process.Signal(syscall.SIGTERM))
		if err := cmd.Wait(); err != nil || t.Failed() {
			text, _ := os.ReadFile(i.log) // it only helps
			t.Logf("the issuer ended with %v:\n%s", err, text)
		}
	})
	testenv.Eventually(t, func(ctx context.Context) error { return serves(ctx, "http://"+ops+"/readyz") })
	return i
}

func serves(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// writeServingCertificate makes the issuer's own certificate, which is its own CA.
func writeServingCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{strings.TrimPrefix(issuerName, "https://")}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
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

// approve grants the client its role.
func (w *world) approve(t *testing.T) {
	t.Helper()
	w.decide(t, "checkout-reads-orders", v1alpha1.DecisionApproved, nil)
	w.awaitRole(t, v1alpha1.RoleGranted)
}

// pair writes the client's certificate and key to files, as somebody who may read the
// Secret would.
func (w *world) pair(t *testing.T) (certificate, key string) {
	t.Helper()
	secret := &corev1.Secret{}
	testenv.Eventually(t, func(ctx context.Context) error {
		return env.Client.Get(ctx, client.ObjectKey{Namespace: w.shop, Name: "checkout-mtls"}, secret)
	})
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	check(t, os.WriteFile(certificate, secret.Data["tls.crt"], 0o600))
	check(t, os.WriteFile(key, secret.Data["tls.key"], 0o600))
	return certificate, key
}
