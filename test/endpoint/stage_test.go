// Package endpoint proves at the socket, on a real control plane, what the token,
// introspection and revocation endpoints promise. Controller and issuers run as the
// programs that they are, with the permissions of config/rbac and no others, and
// cert-manager makes the certificates.
package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
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
	// url is the issuer identifier; the first issuer is there.
	url     string
	issuers []*testenv.Issuer
	control *testenv.Program
	roots   *x509.CertPool
	// proxies is the CA of the first issuer's proxies.
	proxies authority
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
	s := &stage{env: testenv.New(t, testenv.Options{CertManager: true}), roots: x509.NewCertPool()}
	s.env.Kubectl(t, "apply", "-f", "config/default/namespace.yaml")
	s.env.Kubectl(t, "apply", "-k", "config/rbac")
	for _, file := range []string{"role.yaml", "policy.yaml"} {
		s.env.Kubectl(t, "apply", "-f", "config/components/client-secrets/"+file)
	}
	s.control = s.env.StartProgram(t, "controller", "--allowed-issuers=ClusterIssuer/"+testenv.WorkloadCA,
		"--metrics-listen=0", "--health-listen=0", "--webhook-listen=0", "--leader-elect=false", "--client-secrets")
	s.proxies = newAuthority(t)
	proxies := filepath.Join(t.TempDir(), "proxies.crt")
	check(t, os.WriteFile(proxies, []byte(s.proxies.pem), 0o600))
	first := s.env.StartIssuer(t, "", "--client-secrets", "--mtls-url=https://mtls.example",
		"--client-cert-proxy-ca="+proxies, "--client-cert-proxy-name="+proxyName)
	// The second issuer has nothing switched on that is off by default.
	s.url, s.issuers = first.URL, []*testenv.Issuer{first, s.env.StartIssuer(t, first.URL)}
	ca, err := os.ReadFile(first.CAFile)
	check(t, err)
	s.roots.AppendCertsFromPEM(ca)
	return s
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

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tries is how often a change is made until it was in force in time: a machine on which much
// else runs is slow now and then, and an issuer that is slow is so each time.
const tries = 8

// within makes a change, again and again if need be, until it was in force within the promise.
// change returns once it is made, with what is so when it is in force. What counts is when that
// was asked: how long the answer takes is another question.
func within(t *testing.T, what string, change func() (so func() error)) {
	t.Helper()
	for range tries {
		so := change()
		began, asked := time.Now(), time.Duration(0)
		testenv.Eventually(t, func(context.Context) error {
			asked = time.Since(began)
			if err := so(); err != nil {
				return fmt.Errorf("%s: not in force: %w", what, err)
			}
			return nil
		})
		t.Logf("%s: in force after %s", what, asked.Round(time.Millisecond))
		if asked <= promise {
			return
		}
	}
	t.Fatalf("%s: not in force within %s, %d times", what, promise, tries)
}
