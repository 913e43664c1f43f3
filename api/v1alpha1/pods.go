package v1alpha1

// What a pod's owner writes on it, and what the injector answers with.
const (
	// LabelInject asks for the sidecar: "true". The value of the label must be exactly that,
	// because the API server asks the injector by it.
	LabelInject = "lanyard.dev/inject"
	// LabelAdmitted is the mark: the injector sets it, a ValidatingAdmissionPolicy refuses it
	// on any other pod. Its value is rules.Mark of the client's name. It proves injection, not
	// trust.
	LabelAdmitted = "lanyard.dev/admitted"

	// AnnotationClient names the OAuthClient, of the pod's own namespace, whose tokens the pod gets.
	AnnotationClient = "lanyard.dev/client"
	// AnnotationCertificate names the ClientCertificate to use, where the client has several.
	AnnotationCertificate = "lanyard.dev/certificate"
	// AnnotationCertificateSecret names the Secret with certificate and key, where their
	// source names none.
	AnnotationCertificateSecret = "lanyard.dev/certificate-secret"
	// AnnotationExposeCertificate, if "true", gives the app the certificate and its key beside
	// the token.
	AnnotationExposeCertificate = "lanyard.dev/expose-certificate"
	// AnnotationConfig is the sidecar's configuration as YAML: see sidecar/settings.
	AnnotationConfig = "lanyard.dev/config"
	// AnnotationWait, if "false", lets the app start before its tokens are there.
	AnnotationWait = "lanyard.dev/wait"
	// AnnotationSidecarCPU replaces what the sidecar requests of a processor: a quantity.
	AnnotationSidecarCPU = "lanyard.dev/sidecar-cpu"
	// AnnotationSidecarMemory replaces what the sidecar requests of memory: a quantity.
	AnnotationSidecarMemory = "lanyard.dev/sidecar-memory"
)

// Names that injection takes in a pod. A pod that has one of them already is refused.
const (
	// SidecarContainer is the init container that is the sidecar.
	SidecarContainer = "lanyard-sidecar"
	// VolumeTokens is where tokens appear for the app, in memory.
	VolumeTokens = "lanyard-tokens"
	// VolumeAssertion holds the service account token that the sidecar authenticates with.
	VolumeAssertion = "lanyard-assertion"
	// VolumeCertificate holds the client's certificate and its key, for the sidecar alone.
	VolumeCertificate = "lanyard-certificate"
	// VolumeCA holds the roots that the issuer's own certificate is verified by.
	VolumeCA = "lanyard-ca"
	// VolumeUpstreamPrefix and the name of a ConfigMap name the volume with an upstream's roots.
	VolumeUpstreamPrefix = "lanyard-upstream-"

	// ConfigMapCA is the ConfigMap with those roots, in each namespace that holds an
	// OAuthClient or a ProtectedResource; its key is KeyCA.
	ConfigMapCA = "lanyard-ca"
	KeyCA       = "ca.crt"
	// ConfigMapSidecar, in Lanyard's own namespace, says which images of the sidecar are
	// Lanyard's, and the audience of its assertions: what the policy that protects the mark
	// accepts. The policy has a copy of its own.
	ConfigMapSidecar = "lanyard-sidecar"
)

// Where things are in a pod's containers.
const (
	// TokensPath is where VolumeTokens is mounted, in the app's containers and the sidecar.
	TokensPath = "/var/run/lanyard"
	// Below SidecarSecretsPath the sidecar, and nobody else, has assertion/token,
	// certificate/tls.crt and tls.key, ca/ca.crt, and upstreams/<ConfigMap>/ca.crt.
	SidecarSecretsPath = "/var/run/secrets/lanyard.dev"
	// EnvTokenURL tells OAuth libraries in the app's containers where the token endpoint is.
	EnvTokenURL = "LANYARD_TOKEN_URL"
)
