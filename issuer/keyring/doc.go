// Package keyring holds the issuer's signing keys and plans their rotation.
//
// A Ring is the content of one Secret. At every moment exactly one of its keys
// signs. A key is published for a while before it signs, so that no verifier meets
// an unknown key, and for a while after, so that every token it signed can be
// verified to its end.
//
// The package is pure: the time comes in as an argument, and keys are made by the
// caller. Plan says what is to be done; the controller does it, and the issuer
// signs with what Signing returns.
package keyring

const (
	// SecretType is the type of the Secret that holds the ring.
	SecretType = "lanyard.dev/signing-keys"
	// SecretKey is the key in its data.
	SecretKey = "ring.json"
)
