package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

// WorkloadCA is the ClusterIssuer that signs in tests, from a CA of its own.
const WorkloadCA = "workload-ca"

// StartCertManager installs cert-manager, runs its controllers, and returns when
// the ClusterIssuer WorkloadCA is ready. For tests that begin without it.
func (e *Environment) StartCertManager(ctx context.Context) error {
	if err := cluster.InstallCertManager(ctx, e.Config, e.assets); err != nil {
		return fmt.Errorf("installing cert-manager: %w", err)
	}
	kubeconfig, err := e.kubeconfig(cluster.CertManagerUser, cluster.CertManagerGroups()...)
	if err != nil {
		return err
	}
	// Not ctx: a test's ends before its cleanup, and the process ends with this one anyway.
	stop, err := cluster.StartCertManager(context.WithoutCancel(ctx), e.assets, kubeconfig, e.log)
	if err != nil {
		return fmt.Errorf("starting cert-manager: %w", err)
	}
	e.stops = append(e.stops, func() error { stop(); return nil })
	return e.makeWorkloadCA(ctx)
}

// Issued waits until a Certificate is in its Secret and nothing more happens to it, and returns it
// as it is then. cert-manager's own Ready is not enough: on a busy machine it now and then has not
// seen the Secret that it wrote, and issues a second time at once.
func (e *Environment) Issued(t *testing.T, namespace, name string) *certmanagerv1.Certificate {
	t.Helper()
	c := &certmanagerv1.Certificate{}
	Eventually(t, func(ctx context.Context) error {
		if err := e.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, c); err != nil {
			return err
		}
		is := map[certmanagerv1.CertificateConditionType]cmmeta.ConditionStatus{}
		for _, condition := range c.Status.Conditions {
			is[condition.Type] = condition.Status
		}
		if is[certmanagerv1.CertificateConditionReady] != cmmeta.ConditionTrue || is[certmanagerv1.CertificateConditionIssuing] == cmmeta.ConditionTrue {
			return fmt.Errorf("the Certificate %s is being issued: %v", name, c.Status)
		}
		return nil
	})
	return c
}

func (e *Environment) startControllerManager(ctx context.Context) error {
	kubeconfig, err := e.kubeconfig("admin", "system:masters")
	if err != nil {
		return err
	}
	stop, err := cluster.StartControllerManager(context.WithoutCancel(ctx), e.assets, kubeconfig, e.log)
	if err != nil {
		return fmt.Errorf("starting kube-controller-manager: %w", err)
	}
	e.stops = append(e.stops, func() error { stop(); return nil })
	return nil
}

// kubeconfig writes a kubeconfig for a user.
func (e *Environment) kubeconfig(user string, groups ...string) (string, error) {
	u, err := e.envtest.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	if err != nil {
		return "", err
	}
	data, err := u.KubeConfig()
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(e.dir, "kubeconfig-")
	if err != nil {
		return "", err
	}
	if _, err = file.Write(data); err != nil {
		return "", err
	}
	return filepath.Clean(file.Name()), file.Close()
}

// makeWorkloadCA makes a self-signed root in cert-manager's namespace and the
// ClusterIssuer that signs with it.
func (e *Environment) makeWorkloadCA(ctx context.Context) error {
	root := &certmanagerv1.ClusterIssuer{
		ObjectMeta: metav1.ObjectMeta{Name: "workload-root"},
		Spec:       certmanagerv1.IssuerSpec{IssuerConfig: certmanagerv1.IssuerConfig{SelfSigned: &certmanagerv1.SelfSignedIssuer{}}},
	}
	certificate := &certmanagerv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{Name: WorkloadCA, Namespace: "cert-manager"},
		Spec: certmanagerv1.CertificateSpec{
			IsCA: true, CommonName: "Workload CA", SecretName: WorkloadCA,
			PrivateKey: &certmanagerv1.CertificatePrivateKey{Algorithm: certmanagerv1.ECDSAKeyAlgorithm, Size: 256},
			IssuerRef:  cmmeta.IssuerReference{Name: root.Name, Kind: "ClusterIssuer"},
		},
	}
	issuer := &certmanagerv1.ClusterIssuer{
		ObjectMeta: metav1.ObjectMeta{Name: WorkloadCA},
		Spec:       certmanagerv1.IssuerSpec{IssuerConfig: certmanagerv1.IssuerConfig{CA: &certmanagerv1.CAIssuer{SecretName: WorkloadCA}}},
	}
	for _, object := range []client.Object{root, certificate, issuer} {
		if err := e.Client.Create(ctx, object); err != nil {
			return fmt.Errorf("making the ClusterIssuer %s: %w", WorkloadCA, err)
		}
	}
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, startTimeout, true, func(ctx context.Context) (bool, error) {
		last = e.Client.Get(ctx, client.ObjectKeyFromObject(issuer), issuer) // an error may pass
		return last == nil && slices.ContainsFunc(issuer.Status.Conditions, func(c certmanagerv1.IssuerCondition) bool {
			return c.Type == certmanagerv1.IssuerConditionReady && c.Status == cmmeta.ConditionTrue
		}), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the ClusterIssuer %s, whose conditions are %v: %w", WorkloadCA, issuer.Status.Conditions, errors.Join(err, last))
	}
	return nil
}
