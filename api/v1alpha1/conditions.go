package v1alpha1

// Types of conditions. All have positive polarity, except ConditionIssuing, which
// is True while something is under way.
const (
	// ConditionReady, on every kind: the object itself works. It never waits for
	// another team.
	//
	// True: Ready. False: any other reason below except those of the other types.
	ConditionReady = "Ready"

	// ConditionRolesGranted, on OAuthClient: every role that the client asks for
	// is granted.
	//
	// True: AllGranted, NoneRequested. False: RolesPending, RolesDenied,
	// RolesExpired, RolesNotFound (the most severe one).
	ConditionRolesGranted = "RolesGranted"

	// ConditionIssuing, on ClientCertificate: a certificate is being made. A
	// renewal keeps Ready and shows this.
	//
	// True: Issuing. False: Issued, NotIssuing.
	ConditionIssuing = "Issuing"

	// ConditionClientSecret, on OAuthClient with spec.authentication.clientSecret: a
	// secret works and stands in its Secret. Ready does not speak of it, as it does not
	// of certificates: a client can have several ways to authenticate, and each says by
	// itself whether it works.
	//
	// True: ClientSecretIssued. False: ClientSecretsDisabled, SecretNameInUse, Rejected.
	ConditionClientSecret = "ClientSecretReady"
)

// Reasons of ConditionReady that every kind shares.
const (
	// ReasonReady: the object works.
	ReasonReady = "Ready"
	// ReasonSuspended: spec.suspend is true.
	ReasonSuspended = "Suspended"
	// ReasonNamespaceSuspended: the namespace's annotation lanyard.dev/suspend is "true".
	ReasonNamespaceSuspended = "NamespaceSuspended"
	// ReasonConflict: an older object holds the same client id, identifier or role
	// value. The message names it.
	ReasonConflict = "Conflict"
)

// Reasons of ConditionReady on OAuthClient.
const (
	// ReasonClientIDNotAllowed: the namespace's annotation lanyard.dev/client-ids
	// does not allow spec.clientID.
	ReasonClientIDNotAllowed = "ClientIDNotAllowed"
)

// Reasons of ConditionClientSecret.
const (
	// ReasonClientSecretIssued: a secret works.
	ReasonClientSecretIssued = "ClientSecretIssued"
	// ReasonClientSecretsDisabled: the installation has client secrets switched off.
	ReasonClientSecretsDisabled = "ClientSecretsDisabled"
)

// Reasons of ConditionRolesGranted.
const (
	ReasonAllGranted    = "AllGranted"    // every role is granted
	ReasonNoneRequested = "NoneRequested" // spec.roles is empty
	ReasonRolesPending  = "RolesPending"  // a role waits for its owner's decision
	ReasonRolesDenied   = "RolesDenied"   // a role was denied
	ReasonRolesExpired  = "RolesExpired"  // an approval has expired
	ReasonRolesNotFound = "RolesNotFound" // a role does not exist, or does not work
)

// Reasons of ConditionReady on ProtectedResource.
const (
	// ReasonIdentifierNotAllowed: the identifier does not belong to the namespace,
	// and its annotation lanyard.dev/identifiers does not allow it.
	ReasonIdentifierNotAllowed = "IdentifierNotAllowed"
	// ReasonIdentifierNotCanonical: the identifier is not written canonically.
	ReasonIdentifierNotCanonical = "IdentifierNotCanonical"
)

// Reasons of ConditionReady on AppRole and AppRoleAssignment.
const (
	// ReasonResourceNotFound: spec.resourceRef names no ProtectedResource of the namespace.
	ReasonResourceNotFound = "ResourceNotFound"
	// ReasonResourceNotReady: the ProtectedResource does not work.
	ReasonResourceNotReady = "ResourceNotReady"
	// ReasonRoleNotFound: spec.roleRef names no AppRole of the namespace.
	ReasonRoleNotFound = "RoleNotFound"
	// ReasonExpired: spec.expiresAt has passed.
	ReasonExpired = "Expired"
	// ReasonSelectorInvalid: spec.clientSelector cannot be read.
	ReasonSelectorInvalid = "SelectorInvalid"
)

// Reasons of ConditionReady and ConditionIssuing on ClientCertificate.
const (
	// ReasonClientNotFound: spec.clientRef names no OAuthClient of the namespace.
	ReasonClientNotFound = "ClientNotFound"
	// ReasonIssuing: the first certificate is being made, or (on Issuing) a renewal is.
	ReasonIssuing = "Issuing"
	// ReasonIssued: the certificate was made.
	ReasonIssued = "Issued"
	// ReasonNotIssuing: nothing is being made for this source.
	ReasonNotIssuing = "NotIssuing"
	// ReasonIssuanceFailed: cert-manager could not make the certificate. The message is its own.
	ReasonIssuanceFailed = "IssuanceFailed"
	// ReasonIssuerNotAllowed: neither the installation nor the namespace's annotation
	// lanyard.dev/issuers allows spec.issuance.issuerRef.
	ReasonIssuerNotAllowed = "IssuerNotAllowed"
	// ReasonCertManagerNotInstalled: the cluster has no cert-manager.
	ReasonCertManagerNotInstalled = "CertManagerNotInstalled"
	// ReasonCertificateNotOurs: a Certificate of the wanted name exists, and this
	// object does not control it.
	ReasonCertificateNotOurs = "CertificateNotOurs"
	// ReasonSecretNameInUse: another Certificate or an older Secret uses spec.issuance.secretName.
	ReasonSecretNameInUse = "SecretNameInUse"
	// ReasonCertificateNotFound: spec.certificateRef names no Certificate of the namespace.
	ReasonCertificateNotFound = "CertificateNotFound"
	// ReasonCertificateRequestNotFound: the adopted Certificate is ready, but the
	// CertificateRequest of its revision is gone. Renew it.
	ReasonCertificateRequestNotFound = "CertificateRequestNotFound"
	// ReasonSubjectInvalid: spec.subject cannot be read.
	ReasonSubjectInvalid = "SubjectInvalid"
	// ReasonInvalidPEM: spec.pem is not one PEM-encoded certificate.
	ReasonInvalidPEM = "InvalidPEM"
	// ReasonCertificateInvalid: the certificate cannot be used for client authentication.
	ReasonCertificateInvalid = "CertificateInvalid"
	// ReasonCertificateExpired: every certificate has expired.
	ReasonCertificateExpired = "CertificateExpired"
	// ReasonCertificateNotYetValid: the certificate's notBefore is still to come.
	ReasonCertificateNotYetValid = "CertificateNotYetValid"
	// ReasonDistrusted: spec.distrust lists the only certificate there is.
	ReasonDistrusted = "Distrusted"
	// ReasonRejected: the API server refused what Lanyard applied. The message is its own.
	ReasonRejected = "Rejected"
)

// Reasons of events about consent. Conditions have none of them: a condition says how
// an object stands, and these say what somebody decided. On an OAuthClient they are told
// in the place of changes of RolesGranted: all that has changed in one event, under the
// reason of the most severe.
const (
	// EventRoleGranted, on OAuthClient: roles that it asks for were granted.
	EventRoleGranted = "RoleGranted"
	// EventRoleDenied, on OAuthClient: roles that it asks for were denied.
	EventRoleDenied = "RoleDenied"
	// EventRoleExpired, on OAuthClient: approvals have expired.
	EventRoleExpired = "RoleExpired"
	// EventRoleWithdrawn, on OAuthClient: what was granted or denied is so no more: the
	// assignment, or the role, is gone.
	EventRoleWithdrawn = "RoleWithdrawn"
	// EventApproved, on AppRole: an AppRoleAssignment approves clients.
	EventApproved = "Approved"
	// EventDenied, on AppRole: an AppRoleAssignment denies clients.
	EventDenied = "Denied"
	// EventDecisionRemoved, on AppRole: an AppRoleAssignment was deleted.
	EventDecisionRemoved = "DecisionRemoved"
)
