// Package webhook shows on a real API server what people see of Lanyard's admission
// webhooks: the controller runs as the process that it is, with the permissions of
// config/rbac, and config/webhook and config/policies are in force.
package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	testenv.Main(m, &env, testenv.Options{Admission: true, CertManager: true})
}

// person is a user who may write everything of Lanyard in the cluster, and nothing else.
type person struct {
	client.Client
	name   string
	warned *testenv.Warnings
}

// newPerson binds a user to what a platform's admin may do.
func newPerson(t *testing.T, name string) *person {
	t.Helper()
	p := &person{name: name, warned: &testenv.Warnings{}}
	config := env.As(t, name)
	config.WarningHandlerWithContext = p.warned
	p.Client = env.ClientOf(t, config)
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "all-of-lanyard-"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"lanyard.dev"}, Resources: []string{"*"}, Verbs: []string{"*"}},
			{APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificates"}, Verbs: []string{"create"}},
		},
	}
	testenv.Create(t, env.Client, role)
	testenv.Create(t, env.Client, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "all-of-lanyard-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	})
	testenv.Eventually(t, func(ctx context.Context) error {
		return p.List(ctx, &v1alpha1.OAuthClientList{}, client.InNamespace("default"))
	})
	return p
}

// warns fails unless the user was warned once, with all of says; with nothing if says
// is empty.
func (p *person) warns(t *testing.T, says ...string) {
	t.Helper()
	got := p.warned.Take()
	switch {
	case len(says) == 0 && len(got) > 0:
		t.Errorf("warned with %q; want no warning", got)
	case len(says) > 0 && len(got) == 0:
		t.Errorf("not warned; want a warning with %q", says)
	}
	for _, s := range says {
		if !strings.Contains(strings.Join(got, "\n"), s) {
			t.Errorf("warned with %q; want %q in it", got, s)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get reads an object anew.
func get[T client.Object](t *testing.T, o T) T {
	t.Helper()
	check(t, env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	return o
}

func merge(format string, args ...any) client.Patch {
	return client.RawPatch(types.MergePatchType, fmt.Appendf(nil, format, args...))
}

func oauthClient(namespace, name string, roles ...*v1alpha1.AppRole) *v1alpha1.OAuthClient {
	c := &v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.OAuthClientSpec{Authentication: v1alpha1.ClientAuthentication{
			ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: "default"}},
		}},
	}
	for _, r := range roles {
		c.Spec.Roles = append(c.Spec.Roles, v1alpha1.RoleReference{Namespace: r.Namespace, Name: r.Name})
	}
	return c
}

func resource(namespace, name, identifier string) *v1alpha1.ProtectedResource {
	return &v1alpha1.ProtectedResource{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.ProtectedResourceSpec{Identifier: identifier},
	}
}

func role(namespace, name, resource, value string) *v1alpha1.AppRole {
	return &v1alpha1.AppRole{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.AppRoleSpec{ResourceRef: v1alpha1.LocalReference{Name: resource}, Value: value},
	}
}

func assignment(namespace, name, role string, c *v1alpha1.OAuthClient) *v1alpha1.AppRoleAssignment {
	return &v1alpha1.AppRoleAssignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AppRoleAssignmentSpec{
			RoleRef: v1alpha1.LocalReference{Name: role}, ClientRef: &v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name},
			Decision: v1alpha1.DecisionApproved,
		},
	}
}

// settled waits until the controller has judged an assignment, which it writes to again
// only when something changes.
func settled(t *testing.T, a *v1alpha1.AppRoleAssignment) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(a), a); err != nil {
			return err
		}
		if a.Status.ObservedGeneration != a.Generation {
			return fmt.Errorf("generation %d is observed of %d", a.Status.ObservedGeneration, a.Generation)
		}
		return nil
	})
}
