//go:build e2e

package e2e

import (
	"context"
	"errors"
	"path/filepath"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// applyPlatform does what a platform team has done before it installs Lanyard: a CA for servers,
// and one for workloads.
func (w *world) applyPlatform(ctx context.Context) error {
	for _, manifest := range []string{"test/e2e/manifests/platform.yaml", "config/samples/10-workload-ca.yaml"} {
		if _, err := w.kubectl(ctx, nil, "apply", "-f", manifest); err != nil {
			return err
		}
	}
	_, err := w.kubectl(ctx, nil, "wait", "--for=condition=Ready", "--timeout=3m", "clusterissuer/platform-ca", "clusterissuer/workload-ca")
	return err
}

// helmInstall installs the chart of this checkout, as docs/install.md says, or upgrades to it on a
// node that was kept.
func (w *world) helmInstall(ctx context.Context, set ...string) (err error) {
	args := []string{"upgrade", "--install", "lanyard", "charts/lanyard", "--namespace=" + systemNamespace, "--create-namespace", "--values=" + w.values(), "--wait", "--timeout=2m"}
	w.notes, err = w.helm(ctx, append(args, set...)...)
	if err != nil {
		pods, _ := w.kubectl(ctx, nil, "describe", "pods", "-n", systemNamespace)
		return errors.Join(err, errors.New(pods))
	}
	return w.renew(ctx, systemNamespace, "deployment/lanyard-controller", "deployment/lanyard-issuer")
}

// renew restarts what a kept node has from before: its image may hold other programs now, and
// its CA may be another's.
func (w *world) renew(ctx context.Context, namespace string, deployments ...string) error {
	if !w.kept {
		return nil
	}
	for _, verb := range []string{"restart", "status"} {
		if _, err := w.kubectl(ctx, nil, append([]string{"rollout", verb, "-n", namespace}, deployments...)...); err != nil {
			return err
		}
	}
	return nil
}

// values is the file with what is set of the chart's values.
func (w *world) values() string { return filepath.Join(w.root, "test/e2e/manifests/values.yaml") }

func (w *world) helm(ctx context.Context, args ...string) (string, error) {
	return w.run(ctx, nil, "hack/tools/run", append([]string{"helm"}, args...)...)
}

// applyOrders runs the API that all tests call.
func (w *world) applyOrders(ctx context.Context) error {
	const manifest = "test/e2e/manifests/orders.yaml"
	for _, args := range [][]string{
		{"apply", "-f", manifest},
		{"wait", "-n", "orders", "--for=condition=Ready", "--timeout=3m", "protectedresources,approles,approleassignments,oauthclients,clientcertificates", "--all"},
		{"rollout", "status", "-n", "orders", "deployment/orders", "--timeout=3m"},
	} {
		if _, err := w.kubectl(ctx, nil, args...); err != nil {
			state, _ := w.kubectl(ctx, nil, "describe", "-n", "orders", "pods,oauthclients,clientcertificates")
			return errors.Join(err, errors.New(state))
		}
	}
	// The CA as the issued certificate has it: cert-manager may have issued the CA itself twice,
	// where it did not yet see its first Secret, and Ready was said of the first.
	var secret corev1.Secret
	if err := w.kube.Get(ctx, client.ObjectKey{Namespace: "orders", Name: "orders-tls"}, &secret); err != nil {
		return err
	}
	if w.ca = secret.Data[cmmeta.TLSCAKey]; len(w.ca) == 0 {
		return errors.New("the Secret orders-tls has no ca.crt")
	}
	return w.renew(ctx, "orders", "deployment/orders")
}

// kubectl runs kubectl as the administrator.
func (w *world) kubectl(ctx context.Context, stdin []byte, args ...string) (string, error) {
	return w.run(ctx, stdin, w.node.Kubectl(), args...)
}
