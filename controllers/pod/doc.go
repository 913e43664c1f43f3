// Package pod finds pods whose owners wait for tokens in vain: those that ask for Lanyard's
// sidecar and have none, those that wait for a client or a certificate that nobody has
// declared, and those that were injected before their client was there, for another than
// came. Each gets a Warning event that says what to do.
//
// It watches the metadata of the pods with the label lanyard.dev/inject: "true" and of no
// others, and reads one as a whole only where it was injected by a guess. It writes events,
// of which a namespace has a bounded number, and nothing else: a pod is its owner's.
package pod
