package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ClientSecretCredential accepts secrets of 256 bits that Lanyard makes, stores in a
// Secret of the client's namespace and replaces before they expire. Nobody chooses one.
// Delete the Secret to have the next made within ten minutes; what it held works on until it
// ends, beside the next. Remove clientSecret to end all of them at once.
//
// +kubebuilder:validation:XValidation:rule="!has(self.renewBefore) || !has(self.lifetime) || !self.renewBefore.matches('^([0-9]{1,6}(s|m|h))+$') || !self.lifetime.matches('^([0-9]{1,6}(s|m|h))+$') || duration(self.renewBefore) + duration(self.renewBefore) <= duration(self.lifetime)",message="renewBefore must be at most half of lifetime, because at most two secrets work at once"
type ClientSecretCredential struct {
	// methods lists how the secret may be sent: client_secret_basic, in the
	// Authorization header; client_secret_post, in the form (RFC 6749 section 2.3.1).
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	Methods []ClientSecretMethod `json:"methods"`

	// secretName names the Secret that Lanyard makes, with the keys client-id and
	// client-secret. One that exists already and is not Lanyard's is never touched.
	// It cannot be changed.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="secretName is the name of a Secret: lower-case letters, digits, - and . only"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="secretName cannot be changed; remove clientSecret, and add it again with another name"
	SecretName string `json:"secretName"`

	// lifetime is how long a secret works that is made from now on, 1h to 8760h,
	// default 720h.
	//
	// +optional
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="lifetime is a duration between 1h and 8760h, written like 720h"
	Lifetime *metav1.Duration `json:"lifetime,omitempty"`

	// renewBefore is how long before its end a secret is followed by the next; both
	// work in between. At least 30m, at most half of lifetime; default a third of it.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('30m')",message="renewBefore is a duration of at least 30m, written like 240h"
	RenewBefore *metav1.Duration `json:"renewBefore,omitempty"`
}

// ClientSecretMethod is a client authentication method that uses a secret.
//
// +kubebuilder:validation:Enum=client_secret_basic;client_secret_post
type ClientSecretMethod string

// The values of ClientSecretMethod.
const (
	MethodClientSecretBasic ClientSecretMethod = "client_secret_basic"
	MethodClientSecretPost  ClientSecretMethod = "client_secret_post"
)

// ClientSecretStatus is one secret that works, without the secret.
type ClientSecretStatus struct {
	// hash of the secret: sha256: and the base64url of its SHA-256. The secret has
	// 256 bits, so that nothing can be guessed from it.
	//
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash"`
	// createdAt is when the secret was made.
	CreatedAt metav1.Time `json:"createdAt"`
	// expiresAt is when it ends.
	ExpiresAt metav1.Time `json:"expiresAt"`
}
