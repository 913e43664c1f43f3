package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TokenRevocation says which access tokens are revoked before they end (RFC 7009).
// The issuer makes one for all that were revoked at about the same time, in Lanyard's
// own namespace; every issuer reads it, and the controller removes it once all of its
// tokens have ended. APIs that check tokens by themselves do not see it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=lanyard
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type TokenRevocation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec TokenRevocationSpec `json:"spec"`
}

// TokenRevocationSpec lists the revoked tokens.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a TokenRevocation cannot be changed; create another"
// +kubebuilder:validation:XValidation:rule="self.tokens.all(t, t.expiresAt <= self.expiresAt)",message="spec.expiresAt is when the last of the tokens ends; one of them ends later"
type TokenRevocationSpec struct {
	// expiresAt is when the last of the tokens ends, and this object with it.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	ExpiresAt metav1.Time `json:"expiresAt"`

	// tokens that are revoked.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=512
	// +listType=atomic
	Tokens []RevokedToken `json:"tokens"`
}

// RevokedToken is one revoked access token.
type RevokedToken struct {
	// clientID of the client that it was given to.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=320
	ClientID string `json:"clientID"`
	// jti is the token's id. It is no secret.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	JTI string `json:"jti"`
	// expiresAt is when the token ends.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=date-time
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`
	ExpiresAt metav1.Time `json:"expiresAt"`
}

// TokenRevocationList is a list of TokenRevocations.
//
// +kubebuilder:object:root=true
type TokenRevocationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []TokenRevocation `json:"items"`
}
