package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"
)

// Algorithm is the value of the alg header (RFC 7518 section 3.1, RFC 8037).
type Algorithm string

// The algorithms that are spoken here. "none" and the HMACs are not among them
// and cannot be configured: a secret that verifies can also sign.
const (
	RS256 Algorithm = "RS256"
	PS256 Algorithm = "PS256"
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	EdDSA Algorithm = "EdDSA"
)

// RSA moduli, in bits. Below the least a key can be broken; above the most, one
// verification costs a stranger's victim too much.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// Algorithms returns all algorithms that are spoken here.
func Algorithms() []Algorithm { return []Algorithm{RS256, PS256, ES256, ES384, EdDSA} }

// Known reports whether a is one of Algorithms.
func (a Algorithm) Known() bool {
	switch a {
	case RS256, PS256, ES256, ES384, EdDSA:
		return true
	}
	return false
}

// Key is a public key and what it is for. The zero Key verifies nothing.
type Key struct {
	// Kid is the key's id. A token that names another one is not verified with
	// this key. Empty where the caller chose the key by other means, such as a
	// certificate's thumbprint; then the token's kid is not compared.
	Kid string
	// Algorithms are the exact algorithms the key is for. An RSA key for RS256
	// alone never verifies PS256.
	Algorithms []Algorithm
	// Public is an *rsa.PublicKey of 2048 to 8192 bits, an *ecdsa.PublicKey on
	// P-256 or P-384, or an ed25519.PublicKey.
	Public crypto.PublicKey
}

// NewKey returns the key for the given algorithms, or for all that its kind can
// do if none are given. The error is an ErrKey.
func NewKey(kid string, public crypto.PublicKey, algorithms ...Algorithm) (Key, error) {
	possible := possibleFor(public)
	if len(possible) == 0 {
		return Key{}, unsuitable(public)
	}
	if len(algorithms) == 0 {
		algorithms = possible
	}
	for _, a := range algorithms {
		if !slices.Contains(possible, a) {
			return Key{}, fmt.Errorf("%w: a %s cannot be used with alg %q; use one of %v", ErrKey, describe(public), clip(a), possible)
		}
	}
	return Key{Kid: kid, Algorithms: slices.Clone(algorithms), Public: public}, nil
}

// KeySet finds keys by id. It must not try others: a token that names no key, or
// an unknown one, is not verified.
type KeySet interface {
	Key(kid string) (Key, bool)
}

// Keys is a KeySet in memory, by key id.
type Keys map[string]Key

// Key returns the key of exactly this id.
func (k Keys) Key(kid string) (Key, bool) {
	key, ok := k[kid]
	return key, ok
}

// possibleFor lists what a public key of this kind and size can verify; nothing
// if it must not be used at all.
func possibleFor(public crypto.PublicKey) []Algorithm {
	var possible []Algorithm
	for _, a := range Algorithms() {
		if canVerify(a, public) {
			possible = append(possible, a)
		}
	}
	return possible
}

// canVerify reports whether a public key of this kind and size may verify a. It
// is asked for each token, so that a Key made by hand cannot be a weak one.
func canVerify(a Algorithm, public crypto.PublicKey) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return (a == RS256 || a == PS256) && k != nil && k.N != nil &&
			k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey:
		return k != nil && (a == ES256 && k.Curve == elliptic.P256() || a == ES384 && k.Curve == elliptic.P384())
	case ed25519.PublicKey:
		return a == EdDSA && len(k) == ed25519.PublicKeySize
	}
	return false
}

func describe(public crypto.PublicKey) string {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k != nil && k.N != nil {
			return fmt.Sprintf("RSA key of %d bits", k.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if k != nil && k.Curve != nil {
			return "key on curve " + k.Curve.Params().Name
		}
	}
	return fmt.Sprintf("key of type %T", public)
}

func unsuitable(public crypto.PublicKey) error {
	return fmt.Errorf("%w: a %s is not accepted; use RSA of %d to %d bits, ECDSA on P-256 or P-384, or Ed25519",
		ErrKey, describe(public), minRSABits, maxRSABits)
}
