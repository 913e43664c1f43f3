package kube

// Everything that the issuer may do in the cluster. It writes revocations, and
// nothing else.
//
//+kubebuilder:rbac:groups=lanyard.dev,resources=oauthclients;clientcertificates;protectedresources;approles;approleassignments,verbs=get;list;watch
//+kubebuilder:rbac:groups="",resources=namespaces;serviceaccounts;pods,verbs=get;list;watch
//
// The keys of the cluster's service account tokens. Nothing else tells them: the
// advertised jwks_uri is never followed.
//
//+kubebuilder:rbac:urls=/.well-known/openid-configuration;/openid/v1/jwks,verbs=get
//
// The one Secret, and the Lease whose renewals show how far behind the watches are.
//
//+kubebuilder:rbac:groups="",namespace=lanyard-system,resources=secrets,resourceNames=lanyard-signing-keys,verbs=get;list;watch
//+kubebuilder:rbac:groups=coordination.k8s.io,namespace=lanyard-system,resources=leases,resourceNames=lanyard-controller,verbs=get;list;watch
//
// Revocations. They are made here, never changed, and removed by the controller.
//
//+kubebuilder:rbac:groups=lanyard.dev,namespace=lanyard-system,resources=tokenrevocations,verbs=create;list;watch
