// Package declarations proves, on a real API server, what the controllers of
// clients, resources, roles and assignments make of what people declare, and that
// the signing keys are kept.
package declarations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/approle"
	"github.com/lanyard-dev/lanyard/controllers/approleassignment"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/oauthclient"
	"github.com/lanyard-dev/lanyard/controllers/protectedresource"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

var (
	env *testenv.Environment
	// log is what the controllers have logged.
	log lines
)

func TestMain(m *testing.M) {
	testenv.Main(m, &env, testenv.Options{Log: &log})
}

// lines collects a log that several goroutines write.
type lines struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// controller is a user with the roles that config/rbac gives the controller, and no
// others. The Role that is about Lanyard's own namespace is given in namespace.
func controller(t *testing.T, namespace string) *rest.Config {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(env.Root, "config", "rbac", "controller-role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	user := "controller-of-" + namespace
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	for document := range strings.SplitSeq(string(data), "\n---\n") {
		var role rbacv1.Role // a ClusterRole has the same rules
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		meta := metav1.ObjectMeta{Name: user, Namespace: namespace}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.Kind, Name: user}
		if role.Kind == "ClusterRole" {
			meta.Namespace = ""
			create(t, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: role.Rules})
			create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
			continue
		}
		create(t, &rbacv1.Role{ObjectMeta: meta, Rules: role.Rules})
		create(t, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
	}
	return env.As(t, user)
}

// run runs the controllers for the given namespaces until the test ends.
func run(t *testing.T, namespaces ...string) {
	t.Helper()
	runAs(t, controller(t, namespaces[0]), time.Now, namespaces...)
}

// runAs is run with a user and a clock.
func runAs(t *testing.T, user *rest.Config, now func() time.Time, namespaces ...string) {
	t.Helper()
	env.Manager(t, user, func(mgr ctrl.Manager) error {
		const domain = "cluster.local"
		return errors.Join(
			index.Register(t.Context(), mgr),
			oauthclient.SetupWithManager(mgr, oauthclient.Config{Now: now, ClusterDomain: domain}),
			protectedresource.SetupWithManager(mgr, protectedresource.Config{Now: now, ClusterDomain: domain}),
			approle.SetupWithManager(mgr, approle.Config{Now: now, ClusterDomain: domain}),
			approleassignment.SetupWithManager(mgr, approleassignment.Config{Now: now, ClusterDomain: domain}),
		)
	}, namespaces...)
}

// two are a caller's namespace and an API's, with the controllers running.
func two(t *testing.T) (shop, orders string) {
	t.Helper()
	shop = env.Namespace(t, map[string]string{"team": "shop"}, nil).Name
	orders = env.Namespace(t, nil, nil).Name
	run(t, shop, orders)
	return shop, orders
}

func create[T client.Object](t *testing.T, o T) T {
	t.Helper()
	if err := env.Client.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o
}

func remove(t *testing.T, o client.Object) {
	t.Helper()
	if err := env.Client.Delete(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// change edits an object as kubectl edit does.
func change[T client.Object](t *testing.T, o T, edit func(T)) {
	t.Helper()
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatal(err)
	}
	base := o.DeepCopyObject().(T)
	edit(o)
	if err := env.Client.Patch(t.Context(), o, client.MergeFrom(base)); err != nil {
		t.Fatal(err)
	}
}

// annotate sets an annotation of a namespace; an empty value removes it.
func annotate(t *testing.T, namespace, name, value string) {
	t.Helper()
	change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, func(ns *corev1.Namespace) {
		if ns.Annotations == nil {
			ns.Annotations = map[string]string{}
		}
		if ns.Annotations[name] = value; value == "" {
			delete(ns.Annotations, name)
		}
	})
}

func newClient(namespace, name string, roles ...*v1alpha1.AppRole) *v1alpha1.OAuthClient {
	c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: name}}
	for _, r := range roles {
		c.Spec.Roles = append(c.Spec.Roles, v1alpha1.RoleReference{Namespace: r.Namespace, Name: r.Name})
	}
	return c
}

func newResource(namespace, name, identifier string) *v1alpha1.ProtectedResource {
	r := &v1alpha1.ProtectedResource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.Identifier = identifier
	return r
}

func newRole(namespace, name, resource, value string) *v1alpha1.AppRole {
	r := &v1alpha1.AppRole{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	r.Spec.ResourceRef.Name, r.Spec.Value = resource, value
	return r
}

func decide(decision v1alpha1.Decision, name string, role *v1alpha1.AppRole, c *v1alpha1.OAuthClient) *v1alpha1.AppRoleAssignment {
	a := &v1alpha1.AppRoleAssignment{ObjectMeta: metav1.ObjectMeta{Namespace: role.Namespace, Name: name}}
	a.Spec.RoleRef.Name, a.Spec.Decision = role.Name, decision
	if c != nil {
		a.Spec.ClientRef = &v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name}
	}
	return a
}

func approve(name string, role *v1alpha1.AppRole, c *v1alpha1.OAuthClient) *v1alpha1.AppRoleAssignment {
	return decide(v1alpha1.DecisionApproved, name, role, c)
}

func deny(name string, role *v1alpha1.AppRole, c *v1alpha1.OAuthClient) *v1alpha1.AppRoleAssignment {
	return decide(v1alpha1.DecisionDenied, name, role, c)
}

func conditions(o client.Object) []metav1.Condition {
	switch o := o.(type) {
	case *v1alpha1.OAuthClient:
		return o.Status.Conditions
	case *v1alpha1.ProtectedResource:
		return o.Status.Conditions
	case *v1alpha1.AppRole:
		return o.Status.Conditions
	case *v1alpha1.AppRoleAssignment:
		return o.Status.Conditions
	}
	return nil
}

// awaitCondition waits until a condition has a reason and its message says something,
// speaking of the newest generation.
func awaitCondition(t *testing.T, o client.Object, kind, reason, says string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error { return lacks(ctx, o, kind, reason, says) })
}

// lacks says what the condition is instead.
func lacks(ctx context.Context, o client.Object, kind, reason, says string) error {
	if err := env.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return err
	}
	c := meta.FindStatusCondition(conditions(o), kind)
	if c == nil || c.Reason != reason || !strings.Contains(c.Message, says) || c.ObservedGeneration != o.GetGeneration() {
		return fmt.Errorf("%T %s: %s is %+v; want reason %s saying %q", o, o.GetName(), kind, c, reason, says)
	}
	return nil
}

func awaitReady(t *testing.T, o client.Object) {
	t.Helper()
	awaitCondition(t, o, v1alpha1.ConditionReady, v1alpha1.ReasonReady, "")
}

func awaitReason(t *testing.T, o client.Object, reason, says string) {
	t.Helper()
	awaitCondition(t, o, v1alpha1.ConditionReady, reason, says)
}

// awaitRole waits until both sides say the same of the client's only role.
func awaitRole(t *testing.T, c *v1alpha1.OAuthClient, role *v1alpha1.AppRole, state v1alpha1.RoleState) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if len(c.Status.Roles) != 1 || c.Status.Roles[0].State != state {
			return fmt.Errorf("client: %+v; want %s", c.Status.Roles, state)
		}
		r := &v1alpha1.AppRole{}
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(role), r); client.IgnoreNotFound(err) != nil {
			return err
		}
		counted, waiting := ptr.Deref(r.Status.GrantedCount, 0), ptr.Deref(r.Status.PendingCount, 0)
		granted, pending := counted == 1, waiting == 1
		if granted != (state == v1alpha1.RoleGranted) || pending != (state == v1alpha1.RolePending) || len(r.Status.Pending) != int(waiting) {
			return fmt.Errorf("role: %+v; want one client %s", r.Status, state)
		}
		return nil
	})
}
