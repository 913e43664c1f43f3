package plugin

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// issuer is one that runs, under a name that only --connect-to reaches, as that of a
// cluster's Service is from outside.
type issuer struct{ *testenv.Issuer }

func startIssuer(t *testing.T) *issuer {
	t.Helper()
	return &issuer{env.StartIssuer(t, testenv.IssuerURL)}
}

// flags lead kubectl-lanyard to it, as they do beside kubectl port-forward.
func (i *issuer) flags(args ...string) []string {
	return append(args, "--connect-to", i.Address, "--issuer-ca", i.CAFile)
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
