//go:build e2e

package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kubectl lanyard, as a person types it, against a real installation. why --trace is shown beside
// the refusal that it explains, in TestRefusesAPodWithoutTheMarkWhereAdmissionIsRequired.
func TestThePluginAgainstARealInstallation(t *testing.T) {
	beside(t)
	s := newShop(t)
	s.declareClient(t)
	s.apply(t, manifest(t, "deployment.yaml", slices.Concat(exposed, quiet)...))
	s.readyPod(t, "checkout")
	issuer := s.portForward(t)
	var secret corev1.Secret
	if err := s.kube.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "checkout-mtls"}, &secret); err != nil {
		t.Fatal(err)
	}
	roots, certificate, key := file(t, s.issuerRoots(t)), file(t, secret.Data[corev1.TLSCertKey]), file(t, secret.Data[corev1.TLSPrivateKeyKey])

	t.Run("check finds nothing wrong", func(t *testing.T) {
		out := s.plugin(t, "check", "-n", s.namespace, "--connect-to="+issuer, "--issuer-ca="+roots)
		installation, _, _ := strings.Cut(out, "\nObjects\n") // those of other tests may be suspended
		if strings.Contains(installation, "‼") {
			t.Errorf("it warns of a healthy installation:\n%s", out)
		}
	})
	t.Run("status shows the client with its certificate and its role", func(t *testing.T) {
		out := s.plugin(t, "status", "client/checkout", "-n", s.namespace)
		if !containsAll(out, []string{"checkout", "Orders.Read.All", "Granted"}) {
			t.Error(out)
		}
	})
	t.Run("why says that it gets a token", func(t *testing.T) {
		t.Log(s.plugin(t, "why", s.namespace+"/checkout", "api://orders"))
	})
	t.Run("token gets one, which the issuer says is active", func(t *testing.T) {
		out := s.plugin(t, "token", "checkout", "-n", s.namespace, "--resource=api://orders", "--connect-to="+issuer, "--issuer-ca="+roots,
			"--cert="+certificate, "--key="+key)
		if token := strings.TrimSpace(out); !s.active(t, token) {
			t.Error("the token is not active")
		}
	})
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// portForward runs kubectl port-forward to the issuer until the test ends, and returns the
// address.
func (s *shop) portForward(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.node.Kubectl(), "port-forward", "-n", systemNamespace, "service/lanyard-issuer", ":443", "--address=127.0.0.1")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.node.Kubeconfig())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	_, address, found := strings.Cut(line, "Forwarding from ")
	address, _, _ = strings.Cut(address, " ")
	if err != nil || !found {
		t.Fatalf("kubectl port-forward: %q %v", line, err)
	}
	return address
}
