package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AppRole is a permission on a ProtectedResource that clients can ask for.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=lanyard
// +kubebuilder:printcolumn:name="Resource",type=string,JSONPath=`.spec.resourceRef.name`
// +kubebuilder:printcolumn:name="Value",type=string,JSONPath=`.spec.value`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Granted",type=integer,JSONPath=`.status.grantedCount`
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.pendingCount`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AppRole struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   AppRoleSpec   `json:"spec"`
	Status AppRoleStatus `json:"status,omitempty"`
}

// AppRoleSpec is what the API's owner declares.
type AppRoleSpec struct {
	// resourceRef names the ProtectedResource, in the same namespace, that the role
	// is on. Immutable.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.resourceRef cannot be changed; create another AppRole"
	ResourceRef LocalReference `json:"resourceRef"`

	// value is what stands in the token's "roles", and what callers put after the
	// slash in a scope. Unique on the resource. Immutable.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=120
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.value cannot be changed; create another AppRole"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$')",message="spec.value begins with a letter or digit and holds letters, digits and . _ : - only; write for example Orders.Read.All"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('system:')",message="spec.value must not begin with system:, which Kubernetes keeps for itself"
	Value string `json:"value"`

	// displayName is what people call the role.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	DisplayName string `json:"displayName,omitempty"`

	// description says what the role allows.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`
}

// AppRoleStatus is what Lanyard has seen.
type AppRoleStatus struct {
	// observedGeneration is the generation that this status speaks of.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready says whether the role can be granted.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// grantedCount is how many clients have the role.
	//
	// +optional
	GrantedCount *int32 `json:"grantedCount,omitempty"`

	// pendingCount is how many clients ask for the role and wait for a decision.
	//
	// +optional
	PendingCount *int32 `json:"pendingCount,omitempty"`

	// pending lists the 50 oldest of the clients that wait for a decision.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	Pending []ClientReference `json:"pending,omitempty"`
}

// ClientReference names an OAuthClient.
type ClientReference struct {
	// namespace of the OAuthClient.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="namespace is that of an OAuthClient: lower-case letters, digits, - and ."
	Namespace string `json:"namespace"`
	// name of the OAuthClient.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name is that of an OAuthClient: lower-case letters, digits, - and ."
	Name string `json:"name"`
}

// AppRoleList is a list of AppRoles.
//
// +kubebuilder:object:root=true
type AppRoleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AppRole `json:"items"`
}
