package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AppRoleAssignment is the decision of an API's owner that a client has, or must
// not have, a role. It lives beside the role, like a RoleBinding.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ara,categories=lanyard
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.roleRef.name`
// +kubebuilder:printcolumn:name="Client NS",type=string,JSONPath=`.spec.clientRef.namespace`
// +kubebuilder:printcolumn:name="Client",type=string,JSONPath=`.spec.clientRef.name`
// +kubebuilder:printcolumn:name="Decision",type=string,JSONPath=`.spec.decision`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Clients",type=integer,JSONPath=`.status.clientCount`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Decided By",type=string,priority=1,JSONPath=`.spec.decidedBy`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AppRoleAssignment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   AppRoleAssignmentSpec   `json:"spec"`
	Status AppRoleAssignmentStatus `json:"status,omitempty"`
}

// AppRoleAssignmentSpec is what the API's owner decided.
//
// +kubebuilder:validation:XValidation:rule="has(self.clientRef) != has(self.clientSelector)",message="name the clients with exactly one of clientRef and clientSelector"
// +kubebuilder:validation:XValidation:rule="has(self.clientRef) == has(oldSelf.clientRef) && (!has(self.clientRef) || self.clientRef == oldSelf.clientRef) && has(self.clientSelector) == has(oldSelf.clientSelector) && (!has(self.clientSelector) || self.clientSelector == oldSelf.clientSelector)",message="clientRef and clientSelector cannot be changed; create another AppRoleAssignment"
// +kubebuilder:validation:XValidation:rule="!has(self.expiresAt) || self.decision == 'Approved'",message="expiresAt goes with decision: Approved only; a denial does not end by itself"
// +kubebuilder:validation:XValidation:rule="self.decision != 'Denied' || !has(self.clientSelector) || !has(self.clientSelector.labelSelector)",message="a denial names its clients by clientRef or by a namespaceSelector alone: labels of a client are its owner's to change, who could label the denial away"
type AppRoleAssignmentSpec struct {
	// roleRef names the AppRole, in the same namespace. Immutable.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.roleRef cannot be changed; create another AppRoleAssignment"
	RoleRef LocalReference `json:"roleRef"`

	// clientRef names one OAuthClient. Write exactly one of clientRef and clientSelector. Immutable.
	//
	// +optional
	ClientRef *ClientReference `json:"clientRef,omitempty"`

	// clientSelector names OAuthClients by their namespace's labels, those that come later, too. Immutable.
	//
	// +optional
	ClientSelector *ClientSelector `json:"clientSelector,omitempty"`

	// decision of the API's owner. A denial outweighs every approval.
	Decision Decision `json:"decision"`

	// expiresAt is when an approval ends, as in RFC 3339, in the year 2000 or later:
	// 2027-01-01T00:00:00Z. Without it the approval does not end by itself; a denial never
	// does, and has none.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// reason says why, for people. The reason of a denial is told to the client's owner,
	// too.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// decidedBy is the user who decided, as the API server knows them. Written at
	// admission, whatever was sent: leave it out. It is a record, and never an input of a
	// decision. Absent on what was decided before admission was installed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	DecidedBy string `json:"decidedBy,omitempty"`

	// decidedAt is when decision, expiresAt or reason were last changed. Written at
	// admission, whatever was sent: leave it out.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	DecidedAt *metav1.Time `json:"decidedAt,omitempty"`
}

// ClientSelector names OAuthClients by labels.
type ClientSelector struct {
	// namespaceSelector selects the clients' namespaces. Labels of a namespace are
	// the platform's to write.
	//
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="namespaceSelector is required and must not be empty: an empty one would select every client of the cluster; write for example matchLabels: {kubernetes.io/metadata.name: shop}"
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`

	// labelSelector narrows the selection by the clients' own labels, which are
	// their owner's claim. Approved only.
	//
	// +optional
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
}

// Decision of an API's owner.
//
// +kubebuilder:validation:Enum=Approved;Denied
type Decision string

// The values of Decision.
const (
	DecisionApproved Decision = "Approved"
	DecisionDenied   Decision = "Denied"
)

// AppRoleAssignmentStatus is what Lanyard has seen.
type AppRoleAssignmentStatus struct {
	// observedGeneration is the generation that this status speaks of.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready says whether the decision is in force.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// clientCount is how many clients ask for the role and are covered by this decision.
	//
	// +optional
	ClientCount *int32 `json:"clientCount,omitempty"`
}

// AppRoleAssignmentList is a list of AppRoleAssignments.
//
// +kubebuilder:object:root=true
type AppRoleAssignmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []AppRoleAssignment `json:"items"`
}
