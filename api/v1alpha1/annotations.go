package v1alpha1

// Annotations on a Namespace. Whoever may write Namespaces decides these: the
// platform, not the tenant.
const (
	// AnnotationClientIDs lists the client ids that OAuthClients of the namespace
	// may claim with spec.clientID: comma-separated, each exact or a prefix
	// followed by "*".
	AnnotationClientIDs = "lanyard.dev/client-ids"
	// AnnotationIdentifiers lists the identifiers that ProtectedResources of the
	// namespace may claim beside those that belong to it: comma-separated, each
	// exact or a prefix ending in "/*".
	AnnotationIdentifiers = "lanyard.dev/identifiers"
	// AnnotationIssuers lists the cert-manager issuers that ClientCertificates of
	// the namespace may name beside those that the installation allows:
	// comma-separated, each Kind/name or Kind.group/name.
	AnnotationIssuers = "lanyard.dev/issuers"
	// AnnotationSuspend suspends every OAuthClient of the namespace: "true", or
	// anything else that is not plainly a no ("false", "no", "0", empty).
	AnnotationSuspend = "lanyard.dev/suspend"
)

// Annotations on the Secret with the signing keys, which the platform sets and the
// controller removes once it has done what they say.
const (
	// AnnotationRotate has the next signing key made now, whatever its value. It is
	// published before it signs.
	AnnotationRotate = "lanyard.dev/rotate"
	// AnnotationDropKey drops a compromised key at once: its value is the key's kid, or
	// "current". Tokens that it signed are worth nothing from then on.
	AnnotationDropKey = "lanyard.dev/drop-key"
)

// Annotations and labels that Lanyard itself writes.
const (
	// AnnotationNextRotation stands on the Secret with the signing keys; its value is
	// when another key begins to sign (RFC 3339), for people who may read the Secret's
	// metadata. Nothing is decided by it.
	AnnotationNextRotation = "lanyard.dev/next-rotation"
	// AnnotationSecretNameChecked stands on a Certificate that Lanyard made, once
	// it is known that no older Secret has the name; its value is that name.
	AnnotationSecretNameChecked = "lanyard.dev/secret-name-checked"
	// AnnotationSecretNameLookedAt stands on a Certificate that Lanyard made while its
	// Secret's name is taken; its value is when cert-manager was last made to look.
	AnnotationSecretNameLookedAt = "lanyard.dev/secret-name-looked-at"
	// LabelClientCertificate stands on a Certificate that Lanyard made; its value
	// is the name of the ClientCertificate.
	LabelClientCertificate = "lanyard.dev/client-certificate"
	// LabelOAuthClientUID stands on a Secret that Lanyard made for client secrets; its
	// value is the UID of the OAuthClient.
	LabelOAuthClientUID = "lanyard.dev/oauth-client-uid"
	// LabelClientSecretID stands on a Secret that Lanyard made for client secrets; its
	// value tells which secret it holds, by a part of its hash. Without permission to read
	// there is no other way to ask.
	LabelClientSecretID = "lanyard.dev/client-secret-id"
)
