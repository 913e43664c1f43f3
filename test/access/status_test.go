package access

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

const onlyTheController = "status is written by Lanyard's controller alone"

// forged is what an attacker would write: a pin of her own certificate, the hash of a
// secret that she knows, a role that nobody gave her.
var forged = map[string]spec{
	"ClientCertificate": {"pins": []any{spec{
		"thumbprint": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "state": "Current", "notBefore": longAgo, "notAfter": "2999-01-01T00:00:00Z",
	}}},
	"OAuthClient": {
		"clientID":      "victim/checkout",
		"clientSecrets": []any{spec{"hash": "sha256:AAAA", "createdAt": longAgo, "expiresAt": "2999-01-01T00:00:00Z"}},
		"roles":         []any{spec{"namespace": "orders", "name": "orders-read", "state": "Granted"}},
	},
	"ProtectedResource": {"observedGeneration": int64(77)},
	"AppRole":           {"grantedCount": int64(77)},
	"AppRoleAssignment": {"clientCount": int64(77)},
}

// forge writes a status in each way that the API server has.
func forge(t *testing.T, by client.Client, o *unstructured.Unstructured) map[string]error {
	t.Helper()
	status := forged[o.GetKind()]
	only := func(fieldOwner string) error {
		s := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "status": status,
			"metadata": map[string]any{"namespace": o.GetNamespace(), "name": o.GetName()},
		}}
		return by.Status().Apply(t.Context(), client.ApplyConfigurationFromUnstructured(s), client.FieldOwner(fieldOwner), client.ForceOwnership)
	}
	update := func() error {
		for {
			now := stored(t, o)
			now.Object["status"] = status
			if err := by.Status().Update(t.Context(), now); !apierrors.IsConflict(err) {
				return err
			}
		}
	}
	patch := func(kind types.PatchType, body any) error {
		return by.Status().Patch(t.Context(), o.DeepCopy(), client.RawPatch(kind, encode(t, body)))
	}
	return map[string]error{
		"update":                   update(),
		"merge patch":              patch(types.MergePatchType, spec{"status": status}),
		"JSON patch":               patch(types.JSONPatchType, []spec{{"op": "add", "path": "/status", "value": status}}),
		"apply":                    only(fieldOwner),
		"apply under another name": only("lanyard-controller"),
	}
}

// Also cluster admins, who may do everything, and whoever was given a role that names
// the status, directly or by a group that RBAC does not ask about.
func TestRefusesStatusOfAnybodyButTheController(t *testing.T) {
	ns := namespace(t)
	all := clusterRole(t, rule(v1alpha1.SchemeGroupVersion.Group, "*", "*"))
	// Somebody's own service account, of the same name as the controller's.
	give(t, "system:serviceaccount:"+ns+":lanyard-controller", all, ns)
	people := map[string]client.Client{
		"a member of system:masters":          env.Client,
		"a cluster admin":                     owner(t, "root-"+ns, "cluster-admin", ""),
		"somebody with every verb there":      owner(t, "all-"+ns, all, ns),
		"a service account of the same name":  env.ClientOf(t, env.As(t, "system:serviceaccount:"+ns+":lanyard-controller")),
		"the issuer, with every verb":         person(t, "system:serviceaccount:lanyard-system:lanyard-issuer"),
		"a name that begins as the right one": person(t, testenv.ControllerUser+"2"),
		"a name that ends as the right one":   person(t, "x"+testenv.ControllerUser),
	}
	for _, user := range []string{"system:serviceaccount:lanyard-system:lanyard-issuer", testenv.ControllerUser + "2", "x" + testenv.ControllerUser} {
		give(t, user, all, ns)
	}
	for kind := range forged {
		o := create(t, harmless(kind, ns))
		for who, by := range people {
			for how, err := range forge(t, by, o) {
				if !apierrors.IsForbidden(err) {
					t.Errorf("%s, status of %s by %s: err = %v; want forbidden", how, kind, who, err)
					continue
				}
				refused(t, result{way: way(how), err: err}, onlyTheController)
			}
		}
	}
}

// RBAC alone holds those who have no role that names the status; their own roles give
// them none, and they cannot give it to themselves.
func TestRefusesANamespacesAdminTheRoleToWriteStatus(t *testing.T) {
	ns := namespace(t)
	user := "mallory-" + ns
	mallory := owner(t, user, "admin", ns)
	bind := func(role string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, GenerateName: "mine-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
	}
	role := func(resource string) *rbacv1.Role {
		return &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, GenerateName: "mine-"},
			Rules:      []rbacv1.PolicyRule{rule(v1alpha1.SchemeGroupVersion.Group, resource, "update", "patch")},
		}
	}
	attempts := map[string]error{
		"the controller's role":     mallory.Create(t.Context(), bind("lanyard-controller")),
		"the platform's":            mallory.Create(t.Context(), bind("lanyard-admin")),
		"a role that names status":  mallory.Create(t.Context(), role("oauthclients/status")),
		"one that names everything": mallory.Create(t.Context(), role("*")),
		"one that names revocation": mallory.Create(t.Context(), role("tokenrevocations")),
		"a role of the cluster":     mallory.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "mine-"}}),
	}
	for what, err := range attempts {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: err = %v; want forbidden", what, err)
		}
	}
	for kind := range forged {
		for way, err := range forge(t, mallory, create(t, harmless(kind, ns))) {
			if !apierrors.IsForbidden(err) {
				t.Errorf("%s, status of %s: err = %v; want forbidden", way, kind, err)
			}
		}
	}
	for _, own := range []string{"lanyard-view", "lanyard-client-owner", "lanyard-resource-owner"} {
		if err := mallory.Create(t.Context(), bind(own)); err != nil {
			t.Errorf("%s, which she may pass on: %v", own, err)
		}
	}
}

// edit and admin may impersonate the service accounts of their own namespace, and no
// others.
func TestRefusesToActAsTheController(t *testing.T) {
	ns := namespace(t)
	o := create(t, harmless("ClientCertificate", ns))
	for _, role := range []string{"edit", "admin", "lanyard-client-owner", "lanyard-resource-owner"} {
		user := role + "-" + ns
		give(t, user, role, ns)
		config := rest.CopyConfig(env.As(t, user))
		config.Impersonate = rest.ImpersonationConfig{UserName: testenv.ControllerUser, Groups: testenv.ControllerGroups()}
		for way, err := range forge(t, env.ClientOf(t, config), o) {
			if !apierrors.IsForbidden(err) {
				t.Errorf("%s as %s: err = %v; want forbidden", way, role, err)
			}
		}
	}
}

// What is written to the object itself leaves the status alone.
func TestRefusesStatusInTheObjectItself(t *testing.T) {
	ns := namespace(t)
	for kind, status := range forged {
		o := harmless(kind, ns)
		o.Object["status"] = status
		create(t, o)
		for {
			now := stored(t, o)
			now.Object["status"] = status
			if err := env.Client.Update(t.Context(), now); !apierrors.IsConflict(err) {
				if err != nil {
					t.Error(err)
				}
				break
			}
		}
		body := encode(t, spec{"status": status, "metadata": spec{"annotations": spec{"touched": "yes"}}})
		if err := env.Client.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, body)); err != nil {
			t.Error(err)
		}
		applied := harmless(kind, ns)
		applied.Object["status"] = status
		if err := apply(t, env.Client, applied); err != nil {
			t.Error(err)
		}
		for _, o := range []*unstructured.Unstructured{o, applied} {
			now, _ := stored(t, o).Object["status"].(spec)
			for field, value := range status {
				if string(encode(t, now[field])) == string(encode(t, value)) {
					t.Errorf("%s: status.%s is what was sent with the object", kind, field)
				}
			}
		}
	}
}
