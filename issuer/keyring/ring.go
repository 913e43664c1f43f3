package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Algorithm is the JWS algorithm that a key signs with (RFC 7518 section 3.1,
// RFC 8037 section 3.1).
type Algorithm string

// The algorithms that tokens may be signed with.
const (
	ES256 Algorithm = "ES256" // ECDSA on P-256
	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5
	PS256 Algorithm = "PS256" // RSASSA-PSS
	EdDSA Algorithm = "EdDSA" // Ed25519
)

// Algorithms returns all of them.
func Algorithms() []Algorithm { return []Algorithm{ES256, RS256, PS256, EdDSA} }

const minRSABits = 2048

// Key is one signing key.
type Key struct {
	// ID is the key's kid: its RFC 7638 thumbprint.
	ID        string
	Algorithm Algorithm
	// PrivateKeyPKCS8 is the private key in PKCS #8 DER form. It prints as a
	// placeholder.
	PrivateKeyPKCS8 PrivateKey
	CreatedAt       time.Time
	// SignsFrom is when the key begins to sign. It is published before that.
	SignsFrom time.Time
	// SignsUntil is when the next key begins to sign; zero: there is none yet.
	SignsUntil time.Time
	// RemoveAt is when nothing that the key signed can be valid any more; zero:
	// not known yet, since it has no end.
	RemoveAt time.Time
}

// Signer returns the key ready to sign with. The error quotes no key material.
func (k Key) Signer() (crypto.Signer, error) {
	private, err := x509.ParsePKCS8PrivateKey(k.PrivateKeyPKCS8)
	if err != nil {
		return nil, errors.New("the private key is not PKCS #8") // the cause could quote it
	}
	var fits bool
	switch p := private.(type) {
	case *ecdsa.PrivateKey:
		fits = k.Algorithm == ES256 && p.Curve == elliptic.P256()
	case *rsa.PrivateKey:
		fits = (k.Algorithm == RS256 || k.Algorithm == PS256) && p.N.BitLen() >= minRSABits
	case ed25519.PrivateKey:
		fits = k.Algorithm == EdDSA
	}
	if !fits {
		return nil, fmt.Errorf("the private key is not one for %s", k.Algorithm)
	}
	return private.(crypto.Signer), nil
}

// Ring is the signing keys, in the order in which they sign: each key signs until
// the next one does, and the last one has no end.
type Ring struct {
	Keys []Key
}

// Signing returns the key that signs at now: of those that have begun, the last
// one. A clock that was set back to before every key finds the first: a ring with
// a key never refuses to sign. false: the ring is empty.
func (r Ring) Signing(now time.Time) (Key, bool) {
	i := r.signing(now)
	if i < 0 {
		return Key{}, false
	}
	return r.Keys[i], true
}

// signing is the index of the key that signs at now; -1 if the ring is empty.
func (r Ring) signing(now time.Time) int {
	if len(r.Keys) == 0 {
		return -1
	}
	i := len(r.Keys) - 1
	for i > 0 && now.Before(r.Keys[i].SignsFrom) {
		i--
	}
	return i
}

// Published returns the keys that verifiers are told about at now: the one that
// signs, those that will, and those whose tokens may still be valid.
func (r Ring) Published(now time.Time) []Key {
	var out []Key
	for i, k := range r.Keys {
		if i == r.signing(now) || !over(k, now) {
			out = append(out, k)
		}
	}
	return out
}

// over says whether nothing that k signed can be valid at now.
func over(k Key, now time.Time) bool {
	return !k.RemoveAt.IsZero() && !now.Before(k.RemoveAt)
}

// With returns the ring with k added. The key that signed at k.SignsFrom signs
// until then, and stays for keepAfter after. k's own SignsUntil and RemoveAt are
// set by its place in the ring.
func (r Ring) With(k Key, keepAfter time.Duration) Ring {
	keys := append(slices.Clone(r.Keys), k)
	slices.SortStableFunc(keys, func(a, b Key) int { return a.SignsFrom.Compare(b.SignsFrom) })
	return link(keys, keepAfter)
}

// Without returns the ring without the key named id. If it was the last one, the
// one before it has no end any more.
func (r Ring) Without(id string, keepAfter time.Duration) Ring {
	keys := slices.DeleteFunc(slices.Clone(r.Keys), func(k Key) bool { return k.ID == id })
	return link(keys, keepAfter)
}

// Advance returns the ring with the key named id signing from at, which must be
// later than when the key before it began to.
func (r Ring) Advance(id string, at time.Time, keepAfter time.Duration) Ring {
	keys := slices.Clone(r.Keys)
	for i := range keys {
		if keys[i].ID == id {
			keys[i].SignsFrom = at
		}
	}
	return link(keys, keepAfter)
}

// link makes each key sign until the next one does. A key whose end does not
// change keeps its RemoveAt.
func link(keys []Key, keepAfter time.Duration) Ring {
	for i := range keys {
		k := &keys[i]
		switch {
		case i == len(keys)-1:
			k.SignsUntil, k.RemoveAt = time.Time{}, time.Time{}
		case !k.SignsUntil.Equal(keys[i+1].SignsFrom):
			k.SignsUntil = keys[i+1].SignsFrom
			k.RemoveAt = k.SignsUntil.Add(keepAfter)
		}
	}
	return Ring{Keys: keys}
}
