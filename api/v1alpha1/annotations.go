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

// Annotations and labels that Lanyard itself writes.
const (
	// AnnotationSecretNameChecked stands on a Certificate that Lanyard made, once
	// it is known that no older Secret has the name; its value is that name.
	AnnotationSecretNameChecked = "lanyard.dev/secret-name-checked"
	// AnnotationSecretNameLookedAt stands on a Certificate that Lanyard made while its
	// Secret's name is taken; its value is when cert-manager was last made to look.
	AnnotationSecretNameLookedAt = "lanyard.dev/secret-name-looked-at"
	// LabelClientCertificate stands on a Certificate that Lanyard made; its value
	// is the name of the ClientCertificate.
	LabelClientCertificate = "lanyard.dev/client-certificate"
)
