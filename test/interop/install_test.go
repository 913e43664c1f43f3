//go:build e2e

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// build makes Lanyard's programs, the orders API, and the clients in Go, which are a module of their own.
func (w *world) build(ctx context.Context) error {
	bin := w.path("bin") + string(os.PathSeparator)
	return errors.Join(
		goBuild(ctx, w.root, bin, "./cmd/controller", "./cmd/issuer", "./test/orders/cmd/orders"),
		goBuild(ctx, filepath.Join(w.root, "test", "interop", "go"), bin, "./..."),
	)
}

func goBuild(ctx context.Context, dir, out string, packages ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", out}, packages...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", dir, err, output)
	}
	return nil
}

// install does what a platform team does once per cluster.
func (w *world) install(ctx context.Context) error {
	const workloadCA = "config/samples/10-workload-ca.yaml"
	for _, args := range [][]string{
		{"apply", "-f", "config/default/namespace.yaml"},
		{"apply", "--server-side", "-k", "config/crd"},
		{"apply", "-k", "config/rbac"},
		// Client secrets are off unless an installation adds this.
		{"apply", "-f", "config/components/client-secrets/role.yaml", "-f", "config/components/client-secrets/policy.yaml"},
		{"apply", "-f", workloadCA},
		{"wait", "--for=condition=Established", "-f", "config/crd/bases"},
		{"wait", "--for=condition=Ready", "--timeout=3m", "-f", workloadCA},
	} {
		if _, err := w.kubectl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// declare applies what the teams declare, and waits until all of it is ready and granted.
func (w *world) declare(ctx context.Context) error {
	manifests, err := filepath.Glob("manifests/[0-9]*.yaml")
	if err != nil {
		return err
	}
	for _, manifest := range manifests {
		if _, err := w.kubectl(ctx, "apply", "-f", filepath.Join("test", "interop", manifest)); err != nil {
			return err
		}
	}
	if err := w.importCertificates(ctx); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"wait", "--for=condition=Ready", "--timeout=3m", "-A", "--all", "protectedresources,approles,approleassignments,clientcertificates,oauthclients"},
		{"wait", "--for=condition=RolesGranted", "--timeout=3m", "-n", "shop", "--all", "oauthclients"},
		// There is no kubelet here; a pod that never ran gets tokens nevertheless.
		{"patch", "-n", "shop", "pod", "checkout-0", "--subresource=status", "-p", `{"status":{"phase":"Running"}}`},
	} {
		if _, err := w.kubectl(ctx, args...); err != nil {
			state, _ := w.kubectl(ctx, "get", "-A", "-o", "wide", "lanyard")
			return fmt.Errorf("%w\n%s", err, state)
		}
	}
	return nil
}

// kubectl runs kubectl as the administrator in the checkout, and returns what it prints.
func (w *world) kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, w.assets.Path("kubectl"), args...)
	cmd.Dir = w.root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.cluster.Kubeconfig(), "KUBECACHEDIR="+w.path("kubectl-cache"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// clientSecret is what the controller has put into the Secret of a client.
func (w *world) clientSecret(t *testing.T, namespace, name string) string {
	t.Helper()
	data, err := w.secret(t.Context(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	if id := string(data["client-id"]); id != namespace+"/"+name {
		t.Errorf("client-id in the Secret is %q", id)
	}
	return string(data["client-secret"])
}

// secret returns what a pod would mount of a Secret, once it is there.
func (w *world) secret(ctx context.Context, namespace, name string) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var secret corev1.Secret
	for {
		err := w.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret)
		if err == nil && len(secret.Data) > 0 {
			return secret.Data, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the Secret %s/%s: %w", namespace, name, errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
