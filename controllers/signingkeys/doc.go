// Package signingkeys keeps the one Secret that holds the issuer's signing keys, in
// Lanyard's own namespace, and carries out what issuer/keyring plans.
//
// The Secret is read from the API server and never cached; only its metadata is
// watched. It is written with optimistic locking, so that two leaders never lose a
// key. A Secret that cannot be read is never overwritten. No key material reaches a
// log, an event, a metric or an error.
//
// Two annotations on the Secret are commands: v1alpha1.AnnotationRotate and
// v1alpha1.AnnotationDropKey. Whoever may change the Secret has the keys anyhow. A third,
// v1alpha1.AnnotationNextRotation, tells people when another key will sign.
package signingkeys

// SecretName is the name of the Secret unless the installation says another one.
const SecretName = "lanyard-signing-keys"
