package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

const serviceAccount = "system:serviceaccount:lanyard-system:lanyard-controller"

var serviceAccountGroups = []string{"system:serviceaccounts", "system:serviceaccounts:lanyard-system", "system:authenticated"}

// The controller runs as the process that it is, with the permissions of config/rbac
// and no more, and the samples are applied as a person would.
func TestControllerServesTheSamplesWithItsOwnPermissions(t *testing.T) {
	env := testenv.New(t, testenv.Options{CertManager: true, ControllerManager: true})
	env.Kubectl(t, "apply", "-f", "config/default/namespace.yaml")
	env.Kubectl(t, "apply", "-k", "config/rbac")
	controller := start(t, env)

	env.Kubectl(t, "apply", "-f", "config/samples")
	env.Kubectl(t, "apply", "-f", "config/samples") // the same again changes nothing
	ready := []string{
		"oauthclient/checkout", "clientcertificate/checkout", "protectedresource/orders", "approle/orders-read", "approleassignment/checkout-reads-orders",
	}
	for _, object := range ready {
		namespace := "orders"
		if strings.HasSuffix(object, "/checkout") {
			namespace = "shop"
		}
		env.Kubectl(t, "wait", "--namespace", namespace, "--for=condition=Ready", "--timeout=2m", object)
	}
	env.Kubectl(t, "wait", "--namespace", "shop", "--for=condition=RolesGranted", "--timeout=2m", "oauthclient/checkout")
	testenv.Eventually(t, func(ctx context.Context) error {
		return env.Client.Get(ctx, client.ObjectKey{Namespace: "lanyard-system", Name: "lanyard-signing-keys"}, &corev1.Secret{})
	})
	renewed(t, env)
	if rss := controller.rss(t, env); rss > 60<<20 {
		t.Errorf("the controller takes %d MiB with 100 clients; want at most 60", rss>>20)
	}
	for line := range strings.Lines(controller.log.String()) {
		// The end gives the Lease back, which the library tells as a loss, and cuts off
		// what is under way.
		if strings.Contains(line, `"level":"ERROR"`) && !strings.Contains(line, "leader election lost") && !strings.Contains(line, "context canceled") {
			t.Errorf("the log tells of an error: %s", line)
		}
	}

	// What a thief of the controller's token could not do.
	own := env.ClientOf(t, env.As(t, serviceAccount, serviceAccountGroups...))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout-mtls"}}
	for doing, err := range map[string]error{
		"read a workload's Secret":      own.Get(t.Context(), client.ObjectKeyFromObject(secret), secret),
		"list Secrets":                  own.List(t.Context(), &corev1.SecretList{}, client.InNamespace("shop")),
		"list Secrets of its namespace": own.List(t.Context(), &corev1.SecretList{}, client.InNamespace("lanyard-system")),
		"patch a workload's Secret":     own.Patch(t.Context(), secret.DeepCopy(), client.RawPatch(types.MergePatchType, []byte("{}"))),
		"write a Secret elsewhere":      own.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "new"}}),
		"approve a role": own.Create(t.Context(), &v1alpha1.AppRoleAssignment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "self"},
			Spec:       v1alpha1.AppRoleAssignmentSpec{RoleRef: v1alpha1.LocalReference{Name: "orders-read"}, Decision: "Approved"},
		}),
		"change a client": own.Update(t.Context(), &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("the controller may %s: err = %v; want forbidden", doing, err)
		}
	}
}

// process is the controller, running.
type process struct {
	cmd *exec.Cmd
	log *bytes.Buffer // read once the process has ended, or through rss's stop
}

// start builds and runs the controller until the test ends.
func start(t *testing.T, env *testenv.Environment, args ...string) *process {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "controller")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	p := &process{log: &bytes.Buffer{}}
	args = append(args, "--kubeconfig", env.Kubeconfig(t, serviceAccount, serviceAccountGroups...),
		"--metrics-listen=127.0.0.1:0", "--health-listen=0", "--webhook-listen=0")
	p.cmd = exec.Command(binary, args...) // without the test's context: the cleanup ends it in good order
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop asks the process to end, and waits until it has.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if p.cmd.ProcessState != nil {
		return
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the controller ended with %v:\n%s", err, p.log)
	}
}

// rss gives the controller 100 clients with a certificate each, returns what it then
// takes of memory, in bytes, and ends it.
func (p *process) rss(t *testing.T, env *testenv.Environment) int {
	t.Helper()
	defer p.stop(t)
	for i := range 100 {
		name := "client-" + strconv.Itoa(i)
		for _, object := range []client.Object{
			&v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.OAuthClientSpec{
				Authentication: v1alpha1.ClientAuthentication{ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: name}}},
				Roles:          []v1alpha1.RoleReference{{Namespace: "orders", Name: "orders-read"}},
			}},
			&v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.ClientCertificateSpec{
				ClientRef: v1alpha1.LocalReference{Name: name},
				Issuance:  &v1alpha1.Issuance{IssuerRef: v1alpha1.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"}, SecretName: name},
			}},
		} {
			if err := env.Client.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
	}
	begun := time.Now()
	testenv.Eventually(t, func(ctx context.Context) error {
		var list v1alpha1.ClientCertificateList
		if err := env.Client.List(ctx, &list, client.InNamespace("shop")); err != nil {
			return err
		}
		for _, c := range list.Items {
			if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady) {
				return fmt.Errorf("%s: %v", c.Name, c.Status.Conditions)
			}
		}
		return nil
	})
	t.Logf("100 certificates were pinned %s after the last was declared", time.Since(begun))
	if runtime.GOOS != "linux" {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	t.Logf("resident with 100 clients: %d MiB", kib>>10)
	return kib << 10
}

// renewed waits until the Lease is renewed, twice within the time that makes it a heartbeat.
func renewed(t *testing.T, env *testenv.Environment) {
	t.Helper()
	var lease coordinationv1.Lease
	key := client.ObjectKey{Namespace: "lanyard-system", Name: "lanyard-controller"}
	if err := env.Client.Get(t.Context(), key, &lease); err != nil {
		t.Fatal(err)
	}
	const soon, tries = 5 * time.Second, 8
	best := time.Hour
	for try := 0; try < tries && best > soon; try++ { // a busy machine is late now and then
		first, begun := lease.Spec.RenewTime.Time, time.Now()
		testenv.Eventually(t, func(ctx context.Context) error {
			if err := env.Client.Get(ctx, key, &lease); err != nil {
				return err
			}
			if !lease.Spec.RenewTime.After(first) {
				return fmt.Errorf("renewed last at %s", lease.Spec.RenewTime)
			}
			return nil
		})
		best = min(best, time.Since(begun))
	}
	if best > soon {
		t.Errorf("the Lease was renewed after %s only; want 2 s or so", best)
	}
}
