package main

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// namespace is where everything is written, and account a service account there.
const (
	namespace = "team"
	account   = "workload"
)

// base is the name of the objects that the others refer to.
const base = "base"

// kind is a sort of object that is written.
type kind struct {
	name string
	// ours says whether it is one of Lanyard's.
	ours bool
	// make makes the object of that number.
	make func(i int) client.Object
	// change is a merge patch with what admission has to look at, where there is such a thing.
	change string
	// unasked are the writes that no webhook is asked about. What they take more with
	// admission than without is the machine's doing.
	unasked []string
}

// other is the kind that is none of Lanyard's business.
func other() kind {
	return kind{"ConfigMap", false, func(i int) client.Object {
		return &corev1.ConfigMap{ObjectMeta: meta(i), Data: map[string]string{"a": "b"}}
	}, `{"data":{"a":"c"}}`, []string{create, change, remove}}
}

// kinds in the order of a round.
func kinds() []kind {
	return []kind{
		other(),
		{"OAuthClient", true, func(i int) client.Object { return oauthClient(meta(i)) }, `{"spec":{"roles":[]}}`, []string{remove}},
		{"ClientCertificate", true, func(i int) client.Object {
			return &v1alpha1.ClientCertificate{ObjectMeta: meta(i), Spec: v1alpha1.ClientCertificateSpec{
				ClientRef: v1alpha1.LocalReference{Name: base},
				Issuance: &v1alpha1.Issuance{
					IssuerRef:  v1alpha1.IssuerReference{Name: testenv.WorkloadCA, Kind: "ClusterIssuer"},
					SecretName: fmt.Sprintf("tls-%d", i),
				},
			}}
		}, `{"spec":{"issuance":{"duration":"48h"}}}`, []string{change, remove}}, // a policy looks at issuance
		{"ProtectedResource", true, func(i int) client.Object { return resource(meta(i)) }, `{"spec":{"suspend":true}}`, nil},
		{"AppRole", true, func(i int) client.Object { return role(meta(i)) }, `{"spec":{"description":"changed"}}`, []string{change}},
		{"AppRoleAssignment", true, func(i int) client.Object {
			m := meta(i)
			return &v1alpha1.AppRoleAssignment{ObjectMeta: m, Spec: v1alpha1.AppRoleAssignmentSpec{
				RoleRef:   v1alpha1.LocalReference{Name: base},
				ClientRef: &v1alpha1.ClientReference{Namespace: namespace, Name: m.Name}, // which may come later
				Decision:  v1alpha1.DecisionApproved,
			}}
		}, `{"spec":{"decision":"Denied"}}`, nil},
		// The webhook is asked twice: after the first time the API server changes the pod once more.
		{"injected Pod", true, func(i int) client.Object { return pod(meta(i)) }, `{"metadata":{"labels":{"changed":"true"}}}`, []string{remove}},
	}
}

func pod(m metav1.ObjectMeta) *corev1.Pod {
	m.Labels, m.Annotations = map[string]string{v1alpha1.LabelInject: "true"}, map[string]string{
		v1alpha1.AnnotationClient: account, v1alpha1.AnnotationCertificateSecret: "key",
	}
	return &corev1.Pod{ObjectMeta: m, Spec: corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "app", Image: "app:v1"}}}}
}

// bases are the objects that the others refer to.
func bases() []client.Object {
	named := metav1.ObjectMeta{Namespace: namespace, Name: base}
	return []client.Object{
		resource(named), role(named), oauthClient(named),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}},
		oauthClient(metav1.ObjectMeta{Namespace: namespace, Name: account}), // that of the pods: base has certificates that come and go
	}
}

func oauthClient(m metav1.ObjectMeta) *v1alpha1.OAuthClient {
	return &v1alpha1.OAuthClient{ObjectMeta: m, Spec: v1alpha1.OAuthClientSpec{
		Authentication:      v1alpha1.ClientAuthentication{ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: account}}},
		AccessTokenLifetime: &metav1.Duration{Duration: 10 * time.Minute},
		Roles:               []v1alpha1.RoleReference{{Namespace: namespace, Name: base}},
	}}
}

func resource(m metav1.ObjectMeta) *v1alpha1.ProtectedResource {
	return &v1alpha1.ProtectedResource{ObjectMeta: m, Spec: v1alpha1.ProtectedResourceSpec{Identifier: "api://" + namespace + "/" + m.Name}}
}

func role(m metav1.ObjectMeta) *v1alpha1.AppRole {
	return &v1alpha1.AppRole{ObjectMeta: m, Spec: v1alpha1.AppRoleSpec{
		ResourceRef: v1alpha1.LocalReference{Name: base}, Value: "Role." + m.Name, DisplayName: m.Name,
	}}
}

func meta(i int) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("w%d", i)}
}
