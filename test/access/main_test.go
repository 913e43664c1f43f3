// Package access proves, on a real API server, who may write what of Lanyard's kinds:
// by RBAC, by the policies of the API server, by the webhooks, and with each of them
// out of the way where the next must hold alone. People are as restricted here as they
// are in a cluster.
package access

import (
	"context"
	"fmt"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

var env *testenv.Environment

func TestMain(m *testing.M) {
	testenv.Main(m, &env, testenv.Options{Admission: true, CertManager: true})
}

type spec = map[string]any

// proof is what a role lets its holder do, by which it shows that the role is in force.
var proof = map[string]authorizationv1.ResourceAttributes{
	"view":                   {Verb: "get", Resource: "oauthclients"},
	"edit":                   {Verb: "create", Resource: "oauthclients"},
	"admin":                  {Verb: "create", Resource: "approleassignments"},
	"cluster-admin":          {Verb: "patch", Resource: "oauthclients", Subresource: "status"},
	"lanyard-view":           {Verb: "get", Resource: "oauthclients"},
	"lanyard-client-owner":   {Verb: "create", Resource: "oauthclients"},
	"lanyard-resource-owner": {Verb: "create", Resource: "approleassignments"},
	"lanyard-admin":          {Verb: "create", Resource: "tokenrevocations"},
}

// person is a user whom nothing but the roles given below holds back.
func person(t *testing.T, user string) client.Client {
	t.Helper()
	return env.ClientOf(t, env.As(t, user))
}

// give gives a user a ClusterRole in a namespace, or in all of them, and returns when
// that is in force.
func give(t *testing.T, user, role, namespace string) {
	t.Helper()
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	meta := metav1.ObjectMeta{GenerateName: "test-", Namespace: namespace}
	if namespace == "" {
		create(t, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
	} else {
		create(t, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
	}
	may := proof[role]
	if may.Group = v1alpha1.SchemeGroupVersion.Group; may.Verb == "" {
		may = ownProof(t, role)
	}
	may.Namespace = namespace
	awaitPermission(t, user, may)
}

// ownProof is the first thing that a role of the test's own allows.
func ownProof(t *testing.T, role string) authorizationv1.ResourceAttributes {
	t.Helper()
	r := &rbacv1.ClusterRole{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Name: role}, r); err != nil {
		t.Fatal(err)
	}
	first := r.Rules[0]
	return authorizationv1.ResourceAttributes{Group: first.APIGroups[0], Resource: first.Resources[0], Verb: first.Verbs[0]}
}

func awaitPermission(t *testing.T, user string, may authorizationv1.ResourceAttributes) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &may}}
		if err := env.Client.Create(ctx, review); err != nil {
			return err
		}
		if !review.Status.Allowed {
			return fmt.Errorf("%s may not yet %s %s in %s", user, may.Verb, may.Resource, may.Namespace)
		}
		return nil
	})
}

// clusterRole makes a role for the test, and returns its name.
func clusterRole(t *testing.T, rules ...rbacv1.PolicyRule) string {
	t.Helper()
	return create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}, Rules: rules}).Name
}

func rule(group, resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
}

// owner is a person who has a role in a namespace.
func owner(t *testing.T, user, role, namespace string) client.Client {
	t.Helper()
	give(t, user, role, namespace)
	return person(t, user)
}

func namespace(t *testing.T) string {
	t.Helper()
	return env.Namespace(t, nil, nil).Name
}

func create[T client.Object](t *testing.T, o T) T {
	t.Helper()
	if err := env.Client.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o
}

// object is an object of one of Lanyard's kinds.
func object(kind, namespace, name string, s spec) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": s}}
	o.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// stored is the object as the API server has it now; nil: it has none.
func stored(t *testing.T, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	now := &unstructured.Unstructured{}
	now.SetGroupVersionKind(o.GroupVersionKind())
	err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), now)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return now
}
