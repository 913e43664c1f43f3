package stand

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// registryOf holds the fixture's clients as the API server would have defaulted
// them and the controller would have finished them: a pin each, a role on each of
// the two resources, and an assignment for each role and client.
func registryOf(f Fixture, now time.Time) *registry.Registry {
	r := registry.New("cluster.local")
	r.ApplyNamespace(rules.ParseNamespace("orders", map[string]string{"kubernetes.io/metadata.name": "orders"}, nil))
	for name, policy := range map[string]v1alpha1.TokenBindingPolicy{BoundResource: v1alpha1.TokenBindingRequired, OpenResource: v1alpha1.TokenBindingOptional} {
		resource := resourceName(name)
		r.ApplyResource(&v1alpha1.ProtectedResource{ObjectMeta: meta("orders", resource, now), Spec: v1alpha1.ProtectedResourceSpec{
			Identifier: name, Assignment: v1alpha1.AssignmentRequired, TokenBindingPolicy: policy,
			AccessTokenLifetime: &metav1.Duration{Duration: 10 * time.Minute},
		}})
		r.ApplyRole(&v1alpha1.AppRole{ObjectMeta: meta("orders", resource+"-read", now), Spec: v1alpha1.AppRoleSpec{
			ResourceRef: v1alpha1.LocalReference{Name: resource}, Value: "Orders.Read.All",
		}})
	}
	for _, c := range f.Clients {
		r.ApplyNamespace(rules.ParseNamespace(c.Namespace, map[string]string{"kubernetes.io/metadata.name": c.Namespace}, nil))
		r.ApplyClient(clientObject(c, now))
		r.ApplyCertificate(certificateObject(c, now))
		for _, resource := range []string{BoundResource, OpenResource} {
			r.ApplyAssignment(&v1alpha1.AppRoleAssignment{
				ObjectMeta: meta("orders", c.Namespace+"-"+c.Name+"-"+resourceName(resource), now),
				Spec: v1alpha1.AppRoleAssignmentSpec{
					RoleRef:   v1alpha1.LocalReference{Name: resourceName(resource) + "-read"},
					ClientRef: &v1alpha1.ClientReference{Namespace: c.Namespace, Name: c.Name},
					Decision:  v1alpha1.DecisionApproved,
				},
			})
		}
	}
	return r
}

// resourceName is the name of the object of a resource.
func resourceName(identifier string) string {
	if identifier == BoundResource {
		return "orders"
	}
	return "catalogue"
}

func clientObject(c Client, now time.Time) *v1alpha1.OAuthClient {
	o := &v1alpha1.OAuthClient{ObjectMeta: meta(c.Namespace, c.Name, now), Spec: v1alpha1.OAuthClientSpec{
		GrantTypes: []v1alpha1.GrantType{"client_credentials"},
		Authentication: v1alpha1.ClientAuthentication{
			ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: c.Name, Admission: v1alpha1.AdmissionOptional, BoundTo: v1alpha1.BoundToPod}},
			Certificate: &v1alpha1.CertificateCredential{
				Methods:        []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth, v1alpha1.MethodPrivateKeyJWT},
				AssertionReuse: v1alpha1.AssertionReuseNever,
			},
		},
		TokenBinding:        v1alpha1.TokenBindingMTLS,
		AccessTokenLifetime: &metav1.Duration{Duration: 10 * time.Minute},
		Roles:               []v1alpha1.RoleReference{{Namespace: "orders", Name: "orders-read"}, {Namespace: "orders", Name: "catalogue-read"}},
	}}
	switch c.Kind {
	case DPoP:
		o.Spec.TokenBinding = v1alpha1.TokenBindingDPoP
	case Bearer:
		o.Spec.TokenBinding = v1alpha1.TokenBindingNone
		o.Spec.Authentication.ClientSecret = &v1alpha1.ClientSecretCredential{
			Methods:    []v1alpha1.ClientSecretMethod{v1alpha1.MethodClientSecretBasic, v1alpha1.MethodClientSecretPost},
			SecretName: c.Name,
		}
		hash := sha256.Sum256([]byte(c.Secret))
		o.Status.ClientSecrets = []v1alpha1.ClientSecretStatus{{
			Hash:      "sha256:" + base64.RawURLEncoding.EncodeToString(hash[:]),
			CreatedAt: metav1.NewTime(now.Add(-time.Hour)),
			ExpiresAt: metav1.NewTime(now.Add(24 * time.Hour)),
		}}
	case MTLS, RSA:
	}
	return o
}

func certificateObject(c Client, now time.Time) *v1alpha1.ClientCertificate {
	return &v1alpha1.ClientCertificate{
		ObjectMeta: meta(c.Namespace, c.Name, now),
		Spec: v1alpha1.ClientCertificateSpec{
			ClientRef:      v1alpha1.LocalReference{Name: c.Name},
			CertificateRef: &v1alpha1.LocalReference{Name: c.Name},
		},
		Status: v1alpha1.ClientCertificateStatus{Pins: []v1alpha1.Pin{{
			Thumbprint:  jose.X5TS256(c.Certificate.DER),
			Certificate: c.Certificate.PEM(),
			NotBefore:   metav1.NewTime(now.Add(-time.Minute)),
			NotAfter:    metav1.NewTime(now.Add(24 * time.Hour)),
			State:       v1alpha1.PinCurrent,
		}}},
	}
}

func meta(namespace, name string, now time.Time) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1, CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}
}

// cluster stands for the cached keys of the API server.
type cluster struct{ keys jose.Keys }

var _ clientauth.Cluster = cluster{}

func (cluster) Issuers() []string { return []string{clusterIssuer} }

func (c cluster) Keys(_ context.Context, kid string) (jose.KeySet, error) {
	if _, ok := c.keys[kid]; !ok {
		return nil, fmt.Errorf("the bench has no key %q", kid)
	}
	return c.keys, nil
}

// workloads stand for the caches of service accounts and pods: a look-up in a map
// each.
type workloads struct {
	serviceAccounts map[objectName]string
	pods            map[objectName]livingPod
}

type objectName struct{ namespace, name string }

type livingPod struct {
	uid string
	pod clientauth.Pod
}

var _ clientauth.Workloads = (*workloads)(nil)

func workloadsOf(f Fixture) *workloads {
	w := &workloads{serviceAccounts: map[objectName]string{}, pods: map[objectName]livingPod{}}
	for _, c := range f.Clients {
		w.serviceAccounts[objectName{c.Namespace, c.Name}] = c.ServiceAccountUID
		for _, p := range c.Pods {
			w.pods[objectName{c.Namespace, p.Name}] = livingPod{p.UID, clientauth.Pod{ServiceAccount: c.Name}}
		}
	}
	return w
}

func (w *workloads) ServiceAccount(_ context.Context, namespace, name, uid string) (bool, error) {
	living, ok := w.serviceAccounts[objectName{namespace, name}]
	return ok && living == uid, nil
}

func (w *workloads) Pod(_ context.Context, namespace, name, uid string) (clientauth.Pod, bool, error) {
	p, ok := w.pods[objectName{namespace, name}]
	return p.pod, ok && p.uid == uid, nil
}
