package clientauth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// The sizes of RSA keys, in bytes, that an assertion is verified with in vain. A
// larger one would cost us more than it costs a stranger.
const (
	minStandIn = 2048 / 8
	maxStandIn = 4096 / 8
)

// usable says whether key can verify an assertion with the given header and length
// of the signature. What it cannot verify is told as late as a wrong signature.
func usable(key jose.Key, alg jose.Algorithm, signature int) bool {
	if !slices.Contains(key.Algorithms, alg) {
		return false
	}
	public, ok := key.Public.(*rsa.PublicKey)
	return !ok || public.Size() == signature
}

// standIn is the key that an assertion is verified with where the client, its pin or
// its permission is missing, so that the refusal takes as long as that of a wrong
// signature. It proves nothing: its private half is known to everybody, and whoever
// asks for it refuses whatever it says.
func standIn(alg jose.Algorithm, signature int) jose.Key {
	key := jose.Key{Algorithms: []jose.Algorithm{alg}}
	switch alg {
	case jose.ES256:
		key.Public = standInP256
	case jose.ES384:
		key.Public = standInP384
	case jose.EdDSA:
		key.Public = standInEd25519
	default:
		modulus := bytes.Repeat([]byte{0xb5}, min(max(signature, minStandIn), maxStandIn))
		key.Public = &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}
	}
	return key
}

// The stand-ins that do not depend on a length.
var (
	standInP256    = generator(elliptic.P256())
	standInP384    = generator(elliptic.P384())
	standInEd25519 = ed25519.PublicKey(append([]byte{0x58}, bytes.Repeat([]byte{0x66}, ed25519.PublicKeySize-1)...))
)

// generator of the curve: the key whose private half is 1.
func generator(curve elliptic.Curve) *ecdsa.PublicKey {
	p := curve.Params()
	size := (p.BitSize + 7) / 8
	point := slices.Concat([]byte{4}, p.Gx.FillBytes(make([]byte, size)), p.Gy.FillBytes(make([]byte, size)))
	key, _ := ecdsa.ParseUncompressedPublicKey(curve, point) // it is on its curve
	return key
}

// signatureLength is the length in bytes of the signature of a compact JWS.
func signatureLength(raw string) int {
	return base64.RawURLEncoding.DecodedLen(len(raw) - strings.LastIndexByte(raw, '.') - 1)
}
