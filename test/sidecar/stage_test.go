// Package sidecar proves, on a real control plane, what the sidecar promises: the real
// binary asks real issuers, with certificates that cert-manager makes and files that are
// replaced as the kubelet does it.
package sidecar

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// stage is a control plane with Lanyard on it: a controller, and an issuer that can be
// stopped and started.
type stage struct {
	env    *testenv.Environment
	dir    string
	issuer *testenv.Issuer
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{env: testenv.New(t, testenv.Options{CertManager: true}), dir: t.TempDir()}
	s.env.Kubectl(t, "apply", "-f", "config/default/namespace.yaml")
	s.env.Kubectl(t, "apply", "-k", "config/rbac")
	s.env.StartProgram(t, "controller", "--allowed-issuers=ClusterIssuer/"+testenv.WorkloadCA,
		"--metrics-listen=0", "--health-listen=0", "--webhook-listen=0", "--leader-elect=false")
	s.issuer = s.env.StartIssuer(t, "")
	return s
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

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
