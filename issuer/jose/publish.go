package jose

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// thumbprintMembers are the members that RFC 7638 hashes, in its order, which is
// the alphabet's. Their JSON is therefore both the input of the thumbprint and a
// part of the published key.
type thumbprintMembers struct {
	Crv string `json:"crv,omitempty"`
	E   string `json:"e,omitempty"`
	Kty string `json:"kty"`
	N   string `json:"n,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
}

type publishedKey struct {
	Kid string    `json:"kid"`
	Use string    `json:"use"`
	Alg Algorithm `json:"alg,omitempty"`
	thumbprintMembers
}

// MarshalJWKS returns the key set (RFC 7517 section 5) of the given keys, in
// order of kid, so that equal sets are equal bytes on every replica. The error is
// an ErrKey: a key of an unknown kind, without a kid, or two of one kid.
func MarshalJWKS(keys []Key) ([]byte, error) {
	published := make([]publishedKey, 0, len(keys))
	for _, k := range keys {
		members, err := membersOf(k.Public)
		if err != nil {
			return nil, err
		}
		if k.Kid == "" {
			return nil, fmt.Errorf("%w: a key without a kid cannot be published", ErrKey)
		}
		p := publishedKey{Kid: k.Kid, Use: "sig", thumbprintMembers: members}
		if len(k.Algorithms) == 1 {
			p.Alg = k.Algorithms[0]
		}
		published = append(published, p)
	}
	slices.SortFunc(published, func(a, b publishedKey) int { return cmp.Compare(a.Kid, b.Kid) })
	for i := 1; i < len(published); i++ {
		if published[i].Kid == published[i-1].Kid {
			return nil, fmt.Errorf("%w: the kid %q is there twice", ErrKey, published[i].Kid)
		}
	}
	return json.Marshal(map[string][]publishedKey{"keys": published})
}

// Thumbprint is the JWK thumbprint of a public key (RFC 7638) with SHA-256, in
// base64url: a key id that is the same wherever the key is seen.
func Thumbprint(public crypto.PublicKey) (string, error) {
	members, err := membersOf(public)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(members)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	return sha256Text(data), nil
}

// X5TS256 is the thumbprint of a certificate (RFC 8705 section 3.1): base64url of
// the SHA-256 of its DER encoding.
func X5TS256(der []byte) string { return sha256Text(der) }

func sha256Text(data []byte) string {
	sum := sha256.Sum256(data)
	return rawURL.EncodeToString(sum[:])
}

func membersOf(public crypto.PublicKey) (thumbprintMembers, error) {
	if len(possibleFor(public)) == 0 {
		return thumbprintMembers{}, unsuitable(public)
	}
	text := rawURL.EncodeToString
	switch k := public.(type) {
	case *rsa.PublicKey:
		return thumbprintMembers{Kty: "RSA", N: text(k.N.Bytes()), E: text(big.NewInt(int64(k.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return thumbprintMembers{}, fmt.Errorf("%w: %w", ErrKey, err)
		}
		size := (len(point) - 1) / 2
		return thumbprintMembers{Kty: "EC", Crv: k.Params().Name, X: text(point[1 : 1+size]), Y: text(point[1+size:])}, nil
	case ed25519.PublicKey:
		return thumbprintMembers{Kty: "OKP", Crv: "Ed25519", X: text(k)}, nil
	}
	return thumbprintMembers{}, unsuitable(public)
}
