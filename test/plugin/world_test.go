package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// world is two namespaces of its own for a test: a caller's and an API's, with the story
// of the design in them. The client waits for its role.
type world struct {
	shop, orders string
	client       *v1alpha1.OAuthClient
	certificate  *v1alpha1.ClientCertificate
	resource     *v1alpha1.ProtectedResource
	role         *v1alpha1.AppRole
	// Kubeconfigs of four people: carol may edit the caller's namespace, alice administers
	// the API's, vera may view both, and mallory has no role.
	carol, alice, vera, mallory string
}

// newWorld makes the namespaces shop-<name> and orders-<name>, which no other test uses:
// what is printed has their names in it.
func newWorld(t *testing.T, name string) *world {
	t.Helper()
	w := &world{shop: "shop-" + name, orders: "orders-" + name}
	for _, ns := range []string{w.shop, w.orders} {
		create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: map[string]string{"team": ns}}})
	}
	w.carol = user(t, "carol", map[string]string{w.shop: "edit"})
	w.alice = user(t, "alice", map[string]string{w.orders: "admin"})
	w.vera = user(t, "vera", map[string]string{w.shop: "view", w.orders: "view"})
	w.mallory = user(t, "mallory", nil)

	w.resource = &v1alpha1.ProtectedResource{ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: "orders"}}
	w.resource.Spec.Identifier = "api://" + w.orders
	w.role = newRole(w, "orders-read", "Orders.Read.All")
	w.role.Spec.DisplayName = "Read all orders"
	w.client = newClient(w, "checkout", "orders-read")
	w.client.Spec.DisplayName = "Checkout"
	w.client.Spec.Authentication.Certificate = &v1alpha1.CertificateCredential{
		Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth, v1alpha1.MethodPrivateKeyJWT},
	}
	w.certificate = &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "checkout"}}
	w.certificate.Spec.ClientRef.Name = "checkout"
	w.certificate.Spec.Issuance = &v1alpha1.Issuance{
		IssuerRef: v1alpha1.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"}, SecretName: "checkout-mtls",
	}
	// One after the other: what comes before what it names is warned of, and that is printed.
	for _, o := range []client.Object{w.resource, w.role, w.client} {
		create(t, o)
		awaitReady(t, o)
	}
	w.issueOnce(t)
	w.awaitRole(t, v1alpha1.RolePending)
	return w
}

// issueOnce has the client's certificate made. What is printed has its pins: on a busy machine
// cert-manager sometimes issues twice at once, and then all begins anew.
func (w *world) issueOnce(t *testing.T) {
	t.Helper()
	for try := range 10 {
		c := w.certificate.DeepCopy()
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: c.Spec.Issuance.SecretName}}
		create(t, c)
		testenv.Eventually(t, func(ctx context.Context) error {
			err := ready(ctx, c)
			if said := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); said != nil && said.Reason == v1alpha1.ReasonSecretNameInUse {
				// Of the try before: cert-manager wrote it once more after it was deleted.
				return errors.Join(err, client.IgnoreNotFound(env.Client.Delete(ctx, secret.DeepCopy())))
			}
			return err
		})
		issued := env.Issued(t, w.shop, c.Name)
		if issued.Status.Revision != nil && *issued.Status.Revision == 1 {
			w.certificate = c
			awaitReady(t, c)
			if try > 0 { // nobody is to read what the tries before left behind
				if err := env.Client.DeleteAllOf(t.Context(), &eventsv1.Event{}, client.InNamespace(w.shop)); err != nil {
					t.Fatal(err)
				}
			}
			return
		}
		for _, o := range []client.Object{c, issued, secret} {
			if err := client.IgnoreNotFound(env.Client.Delete(t.Context(), o)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("cert-manager issues twice each time")
}

func newRole(w *world, name, value string) *v1alpha1.AppRole {
	r := &v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: name}}
	r.Spec.ResourceRef.Name, r.Spec.Value = "orders", value
	return r
}

func newClient(w *world, name string, roles ...string) *v1alpha1.OAuthClient {
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: name}}
	c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: name}}
	for _, role := range roles {
		c.Spec.Roles = append(c.Spec.Roles, v1alpha1.RoleReference{Namespace: w.orders, Name: role})
	}
	return c
}

// user returns the kubeconfig of somebody who has Kubernetes' own roles in namespaces,
// once they are in force.
func user(t *testing.T, name string, roles map[string]string) string {
	t.Helper()
	for namespace, role := range roles {
		create(t, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
		})
		as := env.ClientOf(t, env.As(t, name))
		testenv.Eventually(t, func(ctx context.Context) error { return may(ctx, as, namespace, "list", "oauthclients") })
	}
	return env.Kubeconfig(t, name)
}

// may says whether somebody may do something to one of Lanyard's resources; kube-
// controller-manager adds Lanyard's roles to Kubernetes' own some time after they are made.
func may(ctx context.Context, as client.Client, namespace, verb, resource string) error {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: v1alpha1.SchemeGroupVersion.Group, Resource: resource},
	}}
	if err := as.Create(ctx, review); err != nil {
		return err
	}
	if !review.Status.Allowed {
		return fmt.Errorf("may not %s %s in %s: %s", verb, resource, namespace, review.Status.Reason)
	}
	return nil
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := env.Client.Create(t.Context(), o); err != nil {
		t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
	}
}

// awaitReady waits until an object works.
func awaitReady(t *testing.T, o client.Object) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error { return ready(ctx, o) })
}

// ready reads o, and says what keeps it from being ready.
func ready(ctx context.Context, o client.Object) error {
	if err := env.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return err
	}
	var all []metav1.Condition
	switch o := o.(type) {
	case *v1alpha1.OAuthClient:
		all = o.Status.Conditions
	case *v1alpha1.ClientCertificate:
		all = o.Status.Conditions
	case *v1alpha1.ProtectedResource:
		all = o.Status.Conditions
	case *v1alpha1.AppRole:
		all = o.Status.Conditions
	case *v1alpha1.AppRoleAssignment:
		all = o.Status.Conditions
	}
	if !meta.IsStatusConditionTrue(all, v1alpha1.ConditionReady) {
		return fmt.Errorf("%T %s is not ready: %v", o, o.GetName(), all)
	}
	return nil
}

// awaitRole waits until both sides say how the client's first role stands.
func (w *world) awaitRole(t *testing.T, state v1alpha1.RoleState) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		err := errors.Join(
			env.Client.Get(ctx, client.ObjectKeyFromObject(w.client), w.client),
			env.Client.Get(ctx, client.ObjectKeyFromObject(w.role), w.role),
		)
		if err != nil {
			return err
		}
		if len(w.client.Status.Roles) == 0 || w.client.Status.Roles[0].State != state {
			return fmt.Errorf("the client's roles are %+v; want %s", w.client.Status.Roles, state)
		}
		if waits := len(w.role.Status.Pending) > 0; waits != (state == v1alpha1.RolePending) {
			return fmt.Errorf("of the role %+v wait; the client's is %s", w.role.Status.Pending, state)
		}
		return nil
	})
}

// outcome is what a run of the program came to.
type outcome struct {
	args           []string
	stdout, stderr string
	code           int
	// home is where it ran, and all that it may write to.
	home string
}

// run runs kubectl-lanyard as the user of a kubeconfig.
func run(t *testing.T, kubeconfig string, args ...string) outcome {
	t.Helper()
	return runWith(t, []string{"KUBECONFIG=" + kubeconfig}, "", args...)
}

// runWith runs it with an environment of its own and something to read.
func runWith(t *testing.T, environ []string, stdin string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"HOME=" + cmd.Dir, "TMPDIR=" + cmd.Dir, "PATH=" + os.Getenv("PATH")}, environ...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{args: args, stdout: out.String(), stderr: errOut.String(), code: cmd.ProcessState.ExitCode(), home: cmd.Dir}
}

// succeeds fails the test if the program did not do what it was told.
func (o outcome) succeeds(t *testing.T) outcome {
	t.Helper()
	return o.exits(t, 0)
}

// exits checks the exit code.
func (o outcome) exits(t *testing.T, code int) outcome {
	t.Helper()
	if o.code != code {
		t.Fatalf("exit code %d, want %d:\n%s", o.code, code, o.text())
	}
	return o
}

// says checks that something was printed.
func (o outcome) says(t *testing.T, what string) outcome {
	t.Helper()
	if !strings.Contains(o.stdout+o.stderr, what) {
		t.Errorf("it does not say %q:\n%s", what, o.text())
	}
	return o
}

// text is the whole run as a person sees it.
func (o outcome) text() string {
	text := "$ kubectl lanyard"
	for _, arg := range o.args {
		if arg == "" || strings.Contains(arg, " ") {
			arg = "'" + arg + "'"
		}
		text += " " + arg
	}
	text += "\n" + o.stdout
	if o.stderr != "" {
		text += "--- stderr\n" + o.stderr
	}
	if o.code != 0 {
		text += fmt.Sprintf("--- exit code %d\n", o.code)
	}
	return text
}

// differs is what differs from run to run, and what stands for it.
var differs = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "<time>"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "<uid>"},
	{regexp.MustCompile(`(^|[^A-Za-z0-9_-])[A-Za-z0-9_-]{43}($|[^A-Za-z0-9_-])`), "$1<thumbprint>$2"},
	{regexp.MustCompile(`\b[0-9a-f]{30,40}\b`), "<serial>"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "<address>"},
	{regexp.MustCompile(`\bin (\d+[smhdy])+\b`), "in <while>"},
	{regexp.MustCompile(`\b(\d+[smhdy])+ ago\b`), "<while> ago"},
	{regexp.MustCompile(`<while> ago \(\d+ times\)`), "<while> ago"},
	// Columns are as wide as what was replaced.
	{regexp.MustCompile(`(\S)  +`), "$1   "},
}

// golden compares the whole run, without what differs from run to run, with
// testdata/<name>.txt.
func (o outcome) golden(t *testing.T, name string) outcome {
	t.Helper()
	got := o.text()
	for _, d := range differs {
		got = d.what.ReplaceAllString(got, d.as)
	}
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o600)); err != nil {
			t.Fatal(err)
		}
		return o
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./test/plugin -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
	return o
}
