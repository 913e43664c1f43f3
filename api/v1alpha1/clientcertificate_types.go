package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ClientCertificate pins a certificate to an OAuthClient, and has it made and
// renewed by cert-manager if it says so.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ccert,categories=lanyard
// +kubebuilder:printcolumn:name="Client",type=string,JSONPath=`.spec.clientRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Thumbprint",type=string,JSONPath=`.status.pins[?(@.state=="Current")].thumbprint`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.pins[?(@.state=="Current")].notAfter`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClientCertificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ClientCertificateSpec   `json:"spec"`
	Status ClientCertificateStatus `json:"status,omitempty"`
}

// ClientCertificateSpec is what the caller's owner declares.
//
// +kubebuilder:validation:XValidation:rule="[has(self.issuance), has(self.certificateRef), has(self.pem), has(self.subject)].filter(x, x).size() == 1",message="name exactly one source of the certificate: issuance (cert-manager makes it), certificateRef (a Certificate that exists), pem (a certificate made elsewhere) or subject"
// +kubebuilder:validation:XValidation:rule="!has(self.pem) || !self.pem.contains('PRIVATE KEY')",message="spec.pem holds a private key; everyone who may read this object could read it. Put only the certificate here, and replace the key"
// +kubebuilder:validation:XValidation:rule="!has(self.pem) || self.pem.contains('-----BEGIN CERTIFICATE-----')",message="spec.pem is one PEM-encoded certificate; it begins with -----BEGIN CERTIFICATE-----"
type ClientCertificateSpec struct {
	// clientRef names the OAuthClient, in the same namespace, that the certificate
	// is pinned to. Immutable.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec.clientRef cannot be changed; create another ClientCertificate"
	ClientRef LocalReference `json:"clientRef"`

	// issuance has cert-manager make and renew the certificate, and write it with its
	// key to a Secret of the namespace.
	//
	// +optional
	Issuance *Issuance `json:"issuance,omitempty"`

	// certificateRef adopts a cert-manager Certificate of the same namespace.
	//
	// +optional
	CertificateRef *LocalReference `json:"certificateRef,omitempty"`

	// pem is one certificate, PEM-encoded, made elsewhere. It is public; never put a
	// private key here. What it may hold is a rule of spec as a whole: a rule of the
	// field itself would print the value, a key perhaps, where it refuses it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	PEM string `json:"pem,omitempty"`

	// subject accepts any certificate of a CA whose subject matches (RFC 8705
	// section 2.1.2), for certificates that are made for each pod.
	//
	// +optional
	Subject *SubjectSource `json:"subject,omitempty"`

	// overlap is how long a pin still works after it was replaced, at least 5m.
	// Default 15m.
	//
	// +optional
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('5m') && duration(self) <= duration('168h')",message="overlap is a duration between 5m and 168h, written like 15m"
	Overlap *metav1.Duration `json:"overlap,omitempty"`

	// distrust lists thumbprints that end at once, as for a stolen key: SHA-256 of
	// the certificate in base64url without padding (x5t#S256), as status.pins shows.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	Distrust []Thumbprint `json:"distrust,omitempty"`
}

// Thumbprint is the SHA-256 of a certificate's DER form, base64url without
// padding: RFC 8705's x5t#S256.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]{43}$')",message="a thumbprint is 43 characters of base64url without padding (x5t#S256), as kubectl get clientcertificates -o wide shows; not hexadecimal"
type Thumbprint string

// LocalReference names an object of the same namespace.
type LocalReference struct {
	// name of the object.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name is that of an object of the same namespace: lower-case letters, digits, - and ."
	Name string `json:"name"`
}

// Issuance says how cert-manager makes the certificate.
//
// +kubebuilder:validation:XValidation:rule="!self.renewBefore.matches('^([0-9]{1,6}(s|m|h))+$') || !self.duration.matches('^([0-9]{1,6}(s|m|h))+$') || duration(self.renewBefore) < duration(self.duration)",message="renewBefore (8h unless it is set) must be shorter than duration (24h unless it is set)"
type Issuance struct {
	// issuerRef names the cert-manager issuer. The installation or the namespace's
	// annotation lanyard.dev/issuers must allow it.
	IssuerRef IssuerReference `json:"issuerRef"`

	// secretName is the Secret that cert-manager writes certificate and key to. No
	// other Certificate and no older Secret may have it.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="secretName is the name of a Secret: lower-case letters, digits, - and ."
	SecretName string `json:"secretName"`

	// duration is how long the certificate is valid, at least 1h. Default 24h.
	//
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="duration is at least 1h (a limit of cert-manager) and at most 87600h, written like 24h"
	Duration *metav1.Duration `json:"duration,omitempty"`

	// renewBefore is how long before its end the certificate is renewed, at least 5m.
	// Default 8h.
	//
	// +optional
	// +kubebuilder:default="8h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(s|m|h))+$') && duration(self) >= duration('5m')",message="renewBefore is at least 5m (a limit of cert-manager), written like 8h"
	RenewBefore *metav1.Duration `json:"renewBefore,omitempty"`

	// privateKey says what key is made.
	//
	// +optional
	// +kubebuilder:default={}
	PrivateKey PrivateKey `json:"privateKey,omitempty"`
}

// IssuerReference names a cert-manager issuer.
type IssuerReference struct {
	// name of the issuer.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name is that of a cert-manager issuer: lower-case letters, digits, - and ."
	Name string `json:"name"`
	// kind of the issuer: Issuer (default), ClusterIssuer, or an external one.
	//
	// +optional
	// +kubebuilder:default=Issuer
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]+$')",message="kind is such as Issuer or ClusterIssuer"
	Kind string `json:"kind,omitempty"`
	// group of the issuer's kind. Default cert-manager.io.
	//
	// +optional
	// +kubebuilder:default=cert-manager.io
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="group is such as cert-manager.io"
	Group string `json:"group,omitempty"`
}

// PrivateKey says what key is made for a certificate.
//
// +kubebuilder:validation:XValidation:rule="!has(self.size) || (self.algorithm == 'ECDSA' && self.size in [256, 384]) || (self.algorithm == 'RSA' && self.size in [2048, 3072, 4096])",message="size is 256 or 384 for ECDSA, 2048, 3072 or 4096 for RSA, and left out for Ed25519"
type PrivateKey struct {
	// algorithm of the key: ECDSA (default), RSA or Ed25519.
	//
	// +optional
	// +kubebuilder:default=ECDSA
	Algorithm PrivateKeyAlgorithm `json:"algorithm,omitempty"`
	// size of the key in bits: 256 or 384 for ECDSA, 2048, 3072 or 4096 for RSA.
	//
	// +optional
	Size int32 `json:"size,omitempty"`
	// rotationPolicy says whether a renewal makes a new key: Always (default) or Never.
	//
	// +optional
	// +kubebuilder:default=Always
	RotationPolicy RotationPolicy `json:"rotationPolicy,omitempty"`
}

// PrivateKeyAlgorithm is the algorithm of a private key.
//
// +kubebuilder:validation:Enum=ECDSA;RSA;Ed25519
type PrivateKeyAlgorithm string

// RotationPolicy says when a new private key is made.
//
// +kubebuilder:validation:Enum=Always;Never
type RotationPolicy string

// SubjectSource is RFC 8705's PKI method: any certificate that a CA of the bundle
// issued for client authentication, and whose one named subject is exactly the
// expected one. Wildcards mean nothing here.
//
// +kubebuilder:validation:XValidation:rule="[has(self.dn), has(self.dns), has(self.uri), has(self.ip), has(self.email)].filter(x, x).size() == 1",message="spec.subject names exactly one of dn, dns, uri, ip and email"
// +kubebuilder:validation:XValidation:rule="self.caBundle.contains('-----BEGIN CERTIFICATE-----')",message="spec.subject.caBundle is PEM-encoded; it begins with -----BEGIN CERTIFICATE-----"
// +kubebuilder:validation:XValidation:rule="!self.caBundle.contains('PRIVATE KEY')",message="spec.subject.caBundle holds a private key; everyone who may read this object could read it. Put only certificates here, and replace the key"
type SubjectSource struct {
	// caBundle is the PEM-encoded CA certificates that are trusted for this client.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	CABundle string `json:"caBundle"`
	// dn is the expected subject distinguished name, as RFC 4514 writes it
	// (tls_client_auth_subject_dn), for example CN=checkout,O=Shop.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	DN string `json:"dn,omitempty"`
	// dns is the expected dNSName SAN.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	DNS string `json:"dns,omitempty"`
	// uri is the expected uniformResourceIdentifier SAN.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	URI string `json:"uri,omitempty"`
	// ip is the expected iPAddress SAN.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=45
	IP string `json:"ip,omitempty"`
	// email is the expected rfc822Name SAN.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=320
	Email string `json:"email,omitempty"`
}

// ClientCertificateStatus is what Lanyard has seen. The issuer trusts its pins.
type ClientCertificateStatus struct {
	// observedGeneration is the generation that this status speaks of.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions: Ready says whether a pinned certificate works now; Issuing
	// whether one is being made.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// pins are the certificates that work, or will. They are the durable record: a
	// pin leaves it at its retiresAt, at its notAfter, by spec.distrust, or with
	// this object.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=thumbprint
	Pins []Pin `json:"pins,omitempty"`

	// revision is the revision of the cert-manager Certificate that the current
	// pin stands for.
	//
	// +optional
	Revision int64 `json:"revision,omitempty"`

	// secretName is the Secret that holds certificate and key, where the source names one.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
}

// Pin is one certificate that authenticates the client and that tokens are bound to.
type Pin struct {
	// thumbprint is the SHA-256 of the certificate, base64url without padding
	// (RFC 8705's x5t#S256).
	//
	// +kubebuilder:validation:MaxLength=64
	Thumbprint string `json:"thumbprint"`
	// certificate is the public certificate, PEM-encoded.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=16384
	Certificate string `json:"certificate,omitempty"`
	// serialNumber of the certificate, hexadecimal.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SerialNumber string `json:"serialNumber,omitempty"`
	// notBefore is when the certificate begins to be valid.
	NotBefore metav1.Time `json:"notBefore"`
	// notAfter is when the certificate ends.
	NotAfter metav1.Time `json:"notAfter"`
	// state of the pin.
	State PinState `json:"state"`
	// revision of the cert-manager Certificate that the certificate belongs to.
	//
	// +optional
	Revision int64 `json:"revision,omitempty"`
	// retiresAt is when a replaced pin ends.
	//
	// +optional
	RetiresAt *metav1.Time `json:"retiresAt,omitempty"`
}

// PinState says where in its life a pin is.
//
// +kubebuilder:validation:Enum=Next;Current;Previous
type PinState string

// The values of PinState.
const (
	// PinNext works already, and will be Current once cert-manager has written it
	// to the Secret.
	PinNext PinState = "Next"
	// PinCurrent is the certificate in use.
	PinCurrent PinState = "Current"
	// PinPrevious was replaced, and works until its retiresAt.
	PinPrevious PinState = "Previous"
)

// ClientCertificateList is a list of ClientCertificates.
//
// +kubebuilder:object:root=true
type ClientCertificateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ClientCertificate `json:"items"`
}
