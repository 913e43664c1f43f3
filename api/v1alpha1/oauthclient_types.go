package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OAuthClient says who may ask for tokens, and how it proves itself.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=oac,categories=lanyard
// +kubebuilder:printcolumn:name="Client ID",type=string,JSONPath=`.status.clientID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Roles",type=string,JSONPath=`.status.rolesGranted`
// +kubebuilder:printcolumn:name="Roles Reason",type=string,JSONPath=`.status.conditions[?(@.type=="RolesGranted")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Roles Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="RolesGranted")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type OAuthClient struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   OAuthClientSpec   `json:"spec"`
	Status OAuthClientStatus `json:"status,omitempty"`
}

// OAuthClientSpec is what the caller's owner declares.
//
// +kubebuilder:validation:XValidation:rule="has(self.clientID) == has(oldSelf.clientID) && (!has(self.clientID) || self.clientID == oldSelf.clientID)",message="spec.clientID cannot be added, changed or removed after creation; create another OAuthClient"
type OAuthClientSpec struct {
	// clientID replaces the client id <namespace>/<name> by another, for callers
	// that are registered elsewhere under a name of their own. It must be allowed
	// by the namespace's annotation lanyard.dev/client-ids, never contains "/", and
	// cannot be added, changed or removed after creation.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9._:@-]+$')",message="spec.clientID may hold letters, digits and . _ : @ - only, and never a slash: <namespace>/<name> is what a client without spec.clientID is called"
	ClientID string `json:"clientID,omitempty"`

	// displayName is what people call the client.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	DisplayName string `json:"displayName,omitempty"`

	// grantTypes lists the OAuth grants that the client may use: client_credentials,
	// which is the default; tls_client_auth, the same with mutual TLS as its only
	// method, as Oracle's identity domains have it. Token exchange is not served by
	// this version.
	//
	// +optional
	// +kubebuilder:default={client_credentials}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	// +kubebuilder:validation:XValidation:rule="!self.exists(g, g == 'urn:ietf:params:oauth:grant-type:token-exchange')",message="this version of Lanyard does not serve token exchange yet: write grantTypes: [client_credentials], or [client_credentials, tls_client_auth]"
	GrantTypes []GrantType `json:"grantTypes,omitempty"`

	// authentication lists the ways in which the client may prove itself. What is
	// absent is refused.
	Authentication ClientAuthentication `json:"authentication"`

	// tokenBinding says what the client's tokens are bound to: MTLS, a certificate
	// that is pinned to the client (RFC 8705), which is the default; DPoP, a key that it
	// proves with each request (RFC 9449); None, nothing.
	//
	// +optional
	// +kubebuilder:default=MTLS
	TokenBinding TokenBinding `json:"tokenBinding,omitempty"`

	// accessTokenLifetime is how long a token lives at most, 1m to 1h, default 10m. The
	// resource's own accessTokenLifetime, the certificate, the assertion and the
	// assignment can make it shorter.
	//
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('1h')",message="accessTokenLifetime is a duration between 1m and 1h, written like 10m"
	AccessTokenLifetime *metav1.Duration `json:"accessTokenLifetime,omitempty"`

	// roles lists the AppRoles that the client asks for. Each is granted only by
	// an AppRoleAssignment that the API's owner made.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	Roles []RoleReference `json:"roles,omitempty"`

	// suspend, if true, ends new tokens for the client within a second.
	//
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// GrantType is an OAuth grant type.
//
// +kubebuilder:validation:Enum=client_credentials;tls_client_auth;"urn:ietf:params:oauth:grant-type:token-exchange"
type GrantType string

// TokenBinding is what a token is bound to.
//
// +kubebuilder:validation:Enum=MTLS;DPoP;None
type TokenBinding string

// The values of TokenBinding.
const (
	TokenBindingMTLS TokenBinding = "MTLS"
	TokenBindingDPoP TokenBinding = "DPoP"
	TokenBindingNone TokenBinding = "None"
)

// ClientAuthentication is the allow-list of ways in which a client proves itself.
//
// +kubebuilder:validation:XValidation:rule="has(self.serviceAccounts) || has(self.certificate) || has(self.clientSecret)",message="spec.authentication lists no way to authenticate; add serviceAccounts, certificate or clientSecret"
type ClientAuthentication struct {
	// serviceAccounts lists the service accounts of the client's own namespace
	// whose projected tokens authenticate the client.
	//
	// +optional
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	ServiceAccounts []ServiceAccountCredential `json:"serviceAccounts,omitempty"`

	// certificate allows the certificates that are pinned to the client, by the
	// methods listed.
	//
	// +optional
	Certificate *CertificateCredential `json:"certificate,omitempty"`

	// clientSecret allows secrets that Lanyard makes, for callers that know nothing
	// else. It works only where the installation has switched client secrets on.
	//
	// +optional
	ClientSecret *ClientSecretCredential `json:"clientSecret,omitempty"`
}

// ServiceAccountCredential accepts the projected tokens of one service account.
type ServiceAccountCredential struct {
	// name of the service account, in the client's own namespace.
	//
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="the name of a service account, of the client's own namespace, holds lower-case letters, digits, - and . only; there are no wildcards"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// admission, if Required, accepts only pods that Lanyard injected for this client: those
	// with the label lanyard.dev/inject: "true" and the annotation lanyard.dev/client. Default
	// Optional.
	//
	// +optional
	// +kubebuilder:default=Optional
	Admission Admission `json:"admission,omitempty"`

	// boundTo says what the token must be bound to: Pod (default), a living pod; Any, also
	// nothing. A token that is bound to a pod must belong to a living one in both cases.
	//
	// +optional
	// +kubebuilder:default=Pod
	BoundTo BoundTo `json:"boundTo,omitempty"`
}

// Admission says whether a pod must have been injected by Lanyard.
//
// +kubebuilder:validation:Enum=Required;Optional
type Admission string

// The values of Admission.
const (
	AdmissionRequired Admission = "Required"
	AdmissionOptional Admission = "Optional"
)

// BoundTo says what a service account token must be bound to.
//
// +kubebuilder:validation:Enum=Pod;Any
type BoundTo string

// The values of BoundTo.
const (
	BoundToPod BoundTo = "Pod"
	BoundToAny BoundTo = "Any"
)

// CertificateCredential accepts the certificates pinned to the client.
type CertificateCredential struct {
	// methods lists how a pinned certificate may authenticate the client:
	// tls_client_auth, over mutual TLS (RFC 8705 section 2.1);
	// self_signed_tls_client_auth, the same, and the only one for a certificate given
	// as pem (section 2.2); private_key_jwt, by an assertion that its key signed (RFC
	// 7523).
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	Methods []CertificateMethod `json:"methods"`

	// assertionReuse says whether one private_key_jwt assertion may be used more
	// than once: Never (default); UntilExpiry, for libraries that resend one assertion,
	// such as msal-node, which keeps one for ten minutes.
	//
	// +optional
	// +kubebuilder:default=Never
	AssertionReuse AssertionReuse `json:"assertionReuse,omitempty"`
}

// CertificateMethod is a client authentication method that uses a certificate.
//
// +kubebuilder:validation:Enum=tls_client_auth;self_signed_tls_client_auth;private_key_jwt
type CertificateMethod string

// The values of CertificateMethod.
const (
	// MethodTLSClientAuth is RFC 8705 section 2.1.
	MethodTLSClientAuth CertificateMethod = "tls_client_auth"
	// MethodSelfSignedTLSClientAuth is RFC 8705 section 2.2.
	MethodSelfSignedTLSClientAuth CertificateMethod = "self_signed_tls_client_auth"
	// MethodPrivateKeyJWT is RFC 7523 section 2.2.
	MethodPrivateKeyJWT CertificateMethod = "private_key_jwt"
)

// AssertionReuse says how often one assertion may be used.
//
// +kubebuilder:validation:Enum=Never;UntilExpiry
type AssertionReuse string

// The values of AssertionReuse.
const (
	AssertionReuseNever       AssertionReuse = "Never"
	AssertionReuseUntilExpiry AssertionReuse = "UntilExpiry"
)

// RoleReference names an AppRole.
type RoleReference struct {
	// namespace of the AppRole.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="namespace is that of an AppRole: lower-case letters, digits, - and ."
	Namespace string `json:"namespace"`
	// name of the AppRole.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name is that of an AppRole: lower-case letters, digits, - and ."
	Name string `json:"name"`
}

// OAuthClientStatus is what Lanyard has seen.
type OAuthClientStatus struct {
	// observedGeneration is the generation that this status speaks of.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready says whether the client works; RolesGranted whether every
	// role that it asks for is granted.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// clientID is the client_id to use in requests.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=320
	ClientID string `json:"clientID,omitempty"`

	// rolesGranted counts the roles that are granted of those asked for, like 1/2.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=16
	RolesGranted string `json:"rolesGranted,omitempty"`

	// roles says of each role asked for how it stands.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	Roles []ClientRoleStatus `json:"roles,omitempty"`

	// clientSecrets are the hashes of the secrets that work, the newest first.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=2
	// +listType=atomic
	ClientSecrets []ClientSecretStatus `json:"clientSecrets,omitempty"`
}

// ClientRoleStatus says how one requested role stands.
type ClientRoleStatus struct {
	// namespace of the AppRole.
	//
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// name of the AppRole.
	//
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// state of the request.
	State RoleState `json:"state"`
	// identifier of the resource that the role is on.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Identifier string `json:"identifier,omitempty"`
	// value of the role, as it stands in tokens.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=120
	Value string `json:"value,omitempty"`
	// assignment is the AppRoleAssignment, in the role's namespace, that decided.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Assignment string `json:"assignment,omitempty"`
	// decidedBy is the user who decided, as the assignment records it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=512
	DecidedBy string `json:"decidedBy,omitempty"`
	// expiresAt is when the approval ends.
	//
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	// message says what to do where the role is not granted, or where no token can come
	// of it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// RoleState says how a requested role stands.
//
// +kubebuilder:validation:Enum=Granted;Pending;Denied;Expired;NotFound
type RoleState string

// The values of RoleState.
const (
	RoleGranted  RoleState = "Granted"
	RolePending  RoleState = "Pending"
	RoleDenied   RoleState = "Denied"
	RoleExpired  RoleState = "Expired"
	RoleNotFound RoleState = "NotFound"
)

// OAuthClientList is a list of OAuthClients.
//
// +kubebuilder:object:root=true
type OAuthClientList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []OAuthClient `json:"items"`
}
