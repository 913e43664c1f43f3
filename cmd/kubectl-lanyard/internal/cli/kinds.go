package cli

import (
	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// Scheme knows Kubernetes' own kinds, Lanyard's and cert-manager's.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	utilruntime.Must(certmanagerv1.AddToScheme(scheme))
	return scheme
}

// mapper knows the resources of the kinds that the commands use. Asking the API server
// for them would cost more than everything else that a command does.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	add := func(scope meta.RESTScope, group, version string, kinds ...string) {
		for _, kind := range kinds {
			m.Add(schema.GroupVersionKind{Group: group, Version: version, Kind: kind}, scope)
		}
	}
	own := v1alpha1.SchemeGroupVersion
	add(meta.RESTScopeNamespace, own.Group, own.Version,
		"OAuthClient", "ClientCertificate", "ProtectedResource", "AppRole", "AppRoleAssignment", "TokenRevocation")
	add(meta.RESTScopeNamespace, "", "v1", "ConfigMap", "Event", "Pod", "Secret", "Service", "ServiceAccount")
	add(meta.RESTScopeRoot, "", "v1", "Namespace")
	add(meta.RESTScopeNamespace, "apps", "v1", "Deployment")
	add(meta.RESTScopeNamespace, "coordination.k8s.io", "v1", "Lease")
	add(meta.RESTScopeNamespace, "events.k8s.io", "v1", "Event")
	add(meta.RESTScopeRoot, "admissionregistration.k8s.io", "v1",
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
	add(meta.RESTScopeRoot, "apiextensions.k8s.io", "v1", "CustomResourceDefinition")
	add(meta.RESTScopeRoot, "authentication.k8s.io", "v1", "SelfSubjectReview")
	add(meta.RESTScopeRoot, "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "SelfSubjectRulesReview")
	add(meta.RESTScopeNamespace, "cert-manager.io", "v1", "Certificate", "CertificateRequest", "Issuer")
	add(meta.RESTScopeRoot, "cert-manager.io", "v1", "ClusterIssuer")
	return m
}
