package endpoint

import (
	"context"
	"crypto/tls"
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// world is a caller's namespace and an API's, with one role on the API.
type world struct {
	*stage
	shop, orders string
	identifier   string
}

func (s *stage) newWorld(t *testing.T, edits ...func(*v1alpha1.ProtectedResource)) *world {
	t.Helper()
	w := &world{stage: s, shop: s.env.Namespace(t, nil, nil).Name, orders: s.env.Namespace(t, nil, nil).Name}
	w.identifier = "api://" + w.orders
	resource := &v1alpha1.ProtectedResource{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: "orders"}, Spec: v1alpha1.ProtectedResourceSpec{Identifier: w.identifier},
	}
	for _, edit := range edits {
		edit(resource)
	}
	create(t, s, resource)
	create(t, s, &v1alpha1.AppRole{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: "read"},
		Spec:       v1alpha1.AppRoleSpec{ResourceRef: v1alpha1.LocalReference{Name: "orders"}, Value: "Orders.Read.All"},
	})
	return w
}

// unbound lets the API be called with tokens that are bound to nothing.
func unbound(r *v1alpha1.ProtectedResource) {
	r.Spec.TokenBindingPolicy = v1alpha1.TokenBindingOptional
}

// binding edits what a client's tokens are bound to.
func binding(to v1alpha1.TokenBinding) func(*v1alpha1.OAuthClient) {
	return func(c *v1alpha1.OAuthClient) { c.Spec.TokenBinding = to }
}

// id is the client id of a client of the shop.
func (w *world) id(name string) string { return w.shop + "/" + name }

// scope is every role that a client has on the API.
func (w *world) scope() string { return w.identifier + "/.default" }

// client declares a client that authenticates as it says, with the role.
func (w *world) client(t *testing.T, name string, authentication v1alpha1.ClientAuthentication, edits ...func(*v1alpha1.OAuthClient)) *v1alpha1.OAuthClient {
	t.Helper()
	c := &v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: name},
		Spec: v1alpha1.OAuthClientSpec{
			Authentication: authentication,
			Roles:          []v1alpha1.RoleReference{{Namespace: w.orders, Name: "read"}},
		},
	}
	for _, edit := range edits {
		edit(c)
	}
	create(t, w.stage, c)
	create(t, w.stage, &v1alpha1.AppRoleAssignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.orders, Name: name},
		Spec: v1alpha1.AppRoleAssignmentSpec{
			RoleRef: v1alpha1.LocalReference{Name: "read"}, Decision: v1alpha1.DecisionApproved,
			ClientRef: &v1alpha1.ClientReference{Namespace: w.shop, Name: name},
		},
	})
	return c
}

// byCertificate is the allow-list with these methods.
func byCertificate(methods ...v1alpha1.CertificateMethod) v1alpha1.ClientAuthentication {
	return v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: methods}}
}

// byAccount is the allow-list with a service account.
func byAccount(name string) v1alpha1.ClientAuthentication {
	return v1alpha1.ClientAuthentication{ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: name}}}
}

// certificate has cert-manager make a certificate, waits until it is pinned to the
// client, and returns it as the client's pod would read it.
func (w *world) certificate(t *testing.T, client string) tls.Certificate {
	t.Helper()
	cc := create(t, w.stage, &v1alpha1.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: client},
		Spec: v1alpha1.ClientCertificateSpec{
			ClientRef: v1alpha1.LocalReference{Name: client},
			Issuance: &v1alpha1.Issuance{
				IssuerRef: v1alpha1.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"}, SecretName: client + "-mtls",
			},
		},
	})
	w.await(t, cc, func() error {
		if !meta.IsStatusConditionTrue(cc.Status.Conditions, v1alpha1.ConditionReady) || len(cc.Status.Pins) == 0 {
			return fmt.Errorf("the certificate is not pinned: %+v", cc.Status.Conditions)
		}
		return nil
	})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: client + "-mtls"}}
	w.await(t, secret, func() error { return nil })
	pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	check(t, err)
	return pair
}

// pod makes a pod, with its service account if there is none yet.
func (w *world) pod(t *testing.T, namespace, account, name string) *corev1.Pod {
	t.Helper()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	check(t, client.IgnoreAlreadyExists(w.env.Client.Create(t.Context(), sa)))
	return create(t, w.stage, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	})
}

// assertion is the token that the kubelet would mount into a pod, for the issuer.
func (w *world) assertion(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	tr := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:      []string{w.url},
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName}}
	check(t, w.env.Client.SubResource("token").Create(t.Context(), sa, tr))
	return tr.Status.Token
}

func create[T client.Object](t *testing.T, s *stage, o T) T {
	t.Helper()
	check(t, s.env.Client.Create(t.Context(), o))
	return o
}

func (s *stage) remove(t *testing.T, o client.Object) {
	t.Helper()
	check(t, s.env.Client.Delete(t.Context(), o))
}

// change edits an object as kubectl edit does.
func change[T client.Object](t *testing.T, s *stage, o T, edit func(T)) {
	t.Helper()
	check(t, s.env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	base := runtime.Object(o).DeepCopyObject().(T)
	edit(o)
	check(t, s.env.Client.Patch(t.Context(), o, client.MergeFrom(base)))
}

// await waits until an object exists and is so.
func (s *stage) await(t *testing.T, o client.Object, so func() error) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if err := s.env.Client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		return so()
	})
}
