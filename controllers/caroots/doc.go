// Package caroots keeps the ConfigMap lanyard-ca in each namespace that holds an
// OAuthClient or a ProtectedResource: the roots that the issuer's serving certificate is
// trusted by: the CA's, and the one that signed the certificate in use, where the CA was
// replaced after it. Injected pods mount it, and so do APIs that verify tokens. When the CA is
// replaced the older roots stay beside the new ones until they expire, so that no pod has
// to learn of the change in the right moment. The ConfigMap in Lanyard's own namespace is
// the memory of them.
//
// It never touches a ConfigMap of that name that somebody else made. It reads and
// writes no other ConfigMap, and its cache holds no other: RBAC names this one.
package caroots
