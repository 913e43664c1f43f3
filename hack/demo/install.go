package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// install does what a platform team does once per cluster. Each line may be run again.
func (d *Demo) install(ctx context.Context) error {
	d.tell.chapter("Installing Lanyard", "Its namespace, its kinds and its permissions; then what a platform team prepares for "+
		"the others: namespaces, who works in which, a CA for the certificates of workloads, and one for servers; then what the "+
		"API server refuses by itself, and what it asks Lanyard about first. This is done once.")
	const platform, people = "hack/demo/manifests/platform.yaml", "hack/demo/manifests/people.yaml"
	for _, args := range [][]string{
		{"apply", "-f", "config/default/namespace.yaml"},
		{"apply", "--server-side", "-k", "config/crd"},
		{"apply", "-k", "config/rbac"},
		{"apply", "-f", "config/samples/00-namespaces.yaml", "-f", "config/samples/10-workload-ca.yaml", "-f", platform, "-f", people},
		{"wait", "--for=condition=Established", "-f", "config/crd/bases"},
		{"wait", "--for=condition=Ready", "--timeout=60s", "-f", "config/samples/10-workload-ca.yaml", "-f", platform},
	} {
		if _, err := d.typeKubectl(ctx, args...); err != nil {
			return err
		}
	}
	if err := d.installAdmission(ctx); err != nil {
		return err
	}
	return errors.Join(
		d.makePeople(),
		d.exportSecret(ctx, systemNamespace, "lanyard-webhook-tls", "tls", "webhook"),
		d.exportSecret(ctx, systemNamespace, "lanyard-issuer-tls", "tls", "issuer"),
		d.exportSecret(ctx, "orders", "orders-api-tls", "tls", "orders"),
	)
}

// installAdmission installs the policies and the webhooks, whose CA cert-manager writes there.
func (d *Demo) installAdmission(ctx context.Context) error {
	ports, err := d.ports()
	if err != nil {
		return err
	}
	config, err := d.cluster.RESTConfig()
	if err != nil {
		return err
	}
	d.tell.line("config/policies, and config/webhook with %s in the place of its Service: this API server reaches no Services", ports.webhookURL())
	return d.tell.working("waiting for the policies to be in force", func() error {
		return cluster.InstallAdmission(ctx, config, d.root, ports.webhookURL(), nil)
	})
}

// exportSecret copies certificate, key and CA of a Secret to the state folder: what the kubelet
// does for a pod that mounts it. An issued Secret may be a moment behind its Certificate.
func (d *Demo) exportSecret(ctx context.Context, namespace, name string, folder ...string) error {
	var secret corev1.Secret
	err := eventually(ctx, func(ctx context.Context) error {
		if err := d.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret); err != nil {
			return err
		}
		for _, file := range []string{"tls.crt", "tls.key", "ca.crt"} {
			if len(secret.Data[file]) == 0 {
				return fmt.Errorf("the Secret %s/%s has no %s", namespace, name, file)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, file := range []string{"tls.crt", "tls.key", "ca.crt"} {
		if err := writeIfChanged(d.path(filepath.Join(folder...), file), secret.Data[file]); err != nil {
			return err
		}
	}
	return nil
}

// writeIfChanged replaces a private file as a whole, unless it is as it should be.
func writeIfChanged(path string, data []byte) error {
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
