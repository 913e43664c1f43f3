package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProtectedResource is an API: the audience of tokens, and the rules for them.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=pres,categories=lanyard
// +kubebuilder:printcolumn:name="Identifier",type=string,JSONPath=`.spec.identifier`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Binding",type=string,JSONPath=`.spec.tokenBindingPolicy`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ProtectedResource struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ProtectedResourceSpec   `json:"spec"`
	Status ProtectedResourceStatus `json:"status,omitempty"`
}

// ProtectedResourceSpec is what the API's owner declares.
type ProtectedResourceSpec struct {
	// identifier is the audience (aud) of the API's tokens, and what callers put
	// before the slash in a scope. api://<namespace>, api://<namespace>/… and the
	// URLs of the namespace's own services belong to it; any other must be allowed
	// by its annotation lanyard.dev/identifiers. Immutable.
	//
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.identifier cannot be changed; create another ProtectedResource"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z][a-z0-9+.-]*:[!$->@-\\\\[\\\\]-~]*[!$-.0->@-\\\\[\\\\]-~]$')",message="spec.identifier is a URI in canonical form: lower-case scheme and host, no user, query, fragment, space or trailing slash; write for example api://orders"
	// +kubebuilder:validation:XValidation:rule="!self.contains('://') || self.matches('^[a-z][a-z0-9+.-]*://[a-z0-9._:\\\\[\\\\]-]+(/|$)')",message="spec.identifier is a URI in canonical form: lower-case scheme and host, no user, query, fragment, space or trailing slash; write for example api://orders"
	Identifier string `json:"identifier"`

	// assignment says whether a client needs a role to get a token: Required, no
	// role, no token; Optional, a token without roles is allowed.
	//
	// +optional
	// +kubebuilder:default=Required
	Assignment Assignment `json:"assignment,omitempty"`

	// tokenBindingPolicy says whether tokens must be bound: Required, only bound
	// tokens; Optional, bearer tokens too.
	//
	// +optional
	// +kubebuilder:default=Required
	TokenBindingPolicy TokenBindingPolicy `json:"tokenBindingPolicy,omitempty"`

	// accessTokenLifetime is how long a token for this resource lives at most, 1m
	// to 1h, whatever the client's own says. Default 1h.
	//
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('1h')",message="accessTokenLifetime is a duration between 1m and 1h, written like 10m"
	AccessTokenLifetime *metav1.Duration `json:"accessTokenLifetime,omitempty"`

	// suspend, if true, ends new tokens for this resource within a second.
	//
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// Assignment says whether a client needs a role.
//
// +kubebuilder:validation:Enum=Required;Optional
type Assignment string

// The values of Assignment.
const (
	AssignmentRequired Assignment = "Required"
	AssignmentOptional Assignment = "Optional"
)

// TokenBindingPolicy says whether tokens must be bound.
//
// +kubebuilder:validation:Enum=Required;Optional
type TokenBindingPolicy string

// The values of TokenBindingPolicy.
const (
	TokenBindingRequired TokenBindingPolicy = "Required"
	TokenBindingOptional TokenBindingPolicy = "Optional"
)

// ProtectedResourceStatus is what Lanyard has seen.
type ProtectedResourceStatus struct {
	// observedGeneration is the generation that this status speaks of.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready says whether tokens can be had for this resource.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ProtectedResourceList is a list of ProtectedResources.
//
// +kubebuilder:object:root=true
type ProtectedResourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ProtectedResource `json:"items"`
}
