// Package v1alpha1 holds the kinds of the API group lanyard.dev.
//
// The caller's side owns OAuthClient and ClientCertificate; the API's side owns
// ProtectedResource, AppRole and AppRoleAssignment; TokenRevocation is Lanyard's own. What one kind asks of another
// is decided by issuer/rules, from these types alone.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=lanyard.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SchemeGroupVersion is the API group and version of these kinds.
var SchemeGroupVersion = schema.GroupVersion{Group: "lanyard.dev", Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme adds the kinds of this group to a scheme.
func AddToScheme(s *runtime.Scheme) error { return schemeBuilder.AddToScheme(s) }

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(SchemeGroupVersion,
		&OAuthClient{}, &OAuthClientList{},
		&ClientCertificate{}, &ClientCertificateList{},
		&ProtectedResource{}, &ProtectedResourceList{},
		&AppRole{}, &AppRoleList{},
		&AppRoleAssignment{}, &AppRoleAssignmentList{},
		&TokenRevocation{}, &TokenRevocationList{},
	)
	metav1.AddToGroupVersion(s, SchemeGroupVersion)
	return nil
}
