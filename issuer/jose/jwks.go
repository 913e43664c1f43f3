package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// MaxJWKSBytes is how long a key set may be. A hundred RSA keys have 60 KiB.
const MaxJWKSBytes = 512 << 10

// jwk is what is read of a JSON Web Key. Members of no meaning here (x5c, x5t,
// x5u) are not read: a key is what its numbers say, not what a certificate says.
type jwk struct {
	kty, use, alg, kid, crv string
	n, e, x, y              []byte
	ops                     []string
	hasOps                  bool
}

// ParseJWKS reads a JSON Web Key Set (RFC 7517 section 5) of public keys.
//
// Keys that cannot be used here are left out, as the RFC says: of another use,
// kind or algorithm, without a kid, or too weak. The whole set is refused, with
// an ErrKey, if it is not strict JSON, holds a private or symmetric key, two keys
// of one kid, or a key whose numbers are broken.
//
// A key is for the algorithm it names. Without one, an RSA key is for RS256
// only, and an EC or Ed25519 key for the one algorithm of its curve.
func ParseJWKS(data []byte) (Keys, error) {
	if len(data) > MaxJWKSBytes {
		return nil, fmt.Errorf("%w: the key set has %d bytes, at most %d are accepted", ErrKey, len(data), MaxJWKSBytes)
	}
	keys, found := Keys{}, false
	err := walk(data, func(name, value []byte) error {
		if string(name) != "keys" {
			return refuseFolded(name, []string{"keys"})
		}
		s := scanner{data: value}
		if found = s.peek() == '['; !found {
			return nil
		}
		i := -1
		return s.array(func(value []byte) error {
			i++
			if err := keys.add(value); err != nil {
				return fmt.Errorf("keys[%d]: %w", i, err)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("%w: key set: %w", ErrKey, err)
	}
	if !found {
		return nil, fmt.Errorf("%w: the key set has no array \"keys\"", ErrKey)
	}
	return keys, nil
}

func (k Keys) add(data []byte) error {
	j, err := readJWK(data)
	if err != nil {
		return err
	}
	if j.kid == "" || j.use != "" && j.use != "sig" || j.hasOps && !j.verifies() {
		return nil
	}
	if _, twice := k[j.kid]; twice {
		return fmt.Errorf("the kid %q is there twice", clip(j.kid))
	}
	key, ok, err := j.key()
	if err != nil {
		return fmt.Errorf("kid %q: %w", clip(j.kid), err)
	}
	if ok {
		k[j.kid] = key
	}
	return nil
}

// jwkNames are the members whose meaning must not hang on upper and lower case.
var jwkNames = [...]string{
	"kty", "use", "alg", "kid", "crv", "n", "e", "x", "y", "key_ops", "d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv",
}

func readJWK(data []byte) (jwk, error) {
	var j jwk
	err := walk(data, func(name, value []byte) error {
		switch string(name) {
		case "kty":
			return readString(name, value, &j.kty)
		case "use":
			return readString(name, value, &j.use)
		case "alg":
			return readString(name, value, &j.alg)
		case "kid":
			return readString(name, value, &j.kid)
		case "crv":
			return readString(name, value, &j.crv)
		case "n":
			return readNumber(name, value, &j.n)
		case "e":
			return readNumber(name, value, &j.e)
		case "x":
			return readNumber(name, value, &j.x)
		case "y":
			return readNumber(name, value, &j.y)
		case "key_ops":
			j.hasOps = true
			return readStrings(name, value, &j.ops)
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv":
			return fmt.Errorf("it has the private member %q; publish the public half only, and replace the key", name)
		default:
			return refuseFolded(name, jwkNames[:])
		}
	})
	return j, err
}

// verifies reports whether key_ops has "verify".
func (j jwk) verifies() bool { return slices.Contains(j.ops, "verify") }

func readNumber(name, value []byte, to *[]byte) error {
	var text string
	if err := readString(name, value, &text); err != nil {
		return err
	}
	decoded, err := decodeSegment(nil, text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*to = decoded
	return nil
}

// key builds the public key. ok is false for one that is not used here.
func (j jwk) key() (key Key, ok bool, err error) {
	switch {
	case j.kty == "RSA":
		return j.rsa()
	case j.kty == "EC" && j.crv == "P-256":
		return j.ec(elliptic.P256(), ES256)
	case j.kty == "EC" && j.crv == "P-384":
		return j.ec(elliptic.P384(), ES384)
	case j.kty == "OKP" && j.crv == "Ed25519":
		return j.ed25519()
	}
	return Key{}, false, nil
}

func (j jwk) rsa() (Key, bool, error) {
	alg := Algorithm(j.alg)
	if alg == "" {
		alg = RS256
	}
	if alg != RS256 && alg != PS256 {
		return Key{}, false, nil
	}
	n, e := new(big.Int).SetBytes(j.n), new(big.Int).SetBytes(j.e)
	if n.Sign() == 0 || n.Bit(0) == 0 || e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0 {
		return Key{}, false, errors.New("n and e are no RSA key")
	}
	public := &rsa.PublicKey{N: n, E: int(e.Int64())}
	if !canVerify(alg, public) {
		return Key{}, false, nil // too weak, or too large
	}
	key, err := NewKey(j.kid, public, alg)
	return key, err == nil, err
}

func (j jwk) ec(curve elliptic.Curve, alg Algorithm) (Key, bool, error) {
	if j.alg != "" && Algorithm(j.alg) != alg {
		if Algorithm(j.alg).Known() {
			return Key{}, false, fmt.Errorf("alg %s is not for curve %s", j.alg, j.crv)
		}
		return Key{}, false, nil
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(j.x) != size || len(j.y) != size {
		return Key{}, false, fmt.Errorf("x and y must have %d bytes each", size)
	}
	point := slices.Concat([]byte{4}, j.x, j.y)
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return Key{}, false, fmt.Errorf("x and y are no point of %s", j.crv)
	}
	key, err := NewKey(j.kid, public, alg)
	return key, err == nil, err
}

func (j jwk) ed25519() (Key, bool, error) {
	if j.alg != "" && Algorithm(j.alg) != EdDSA {
		return Key{}, false, nil
	}
	if len(j.x) != ed25519.PublicKeySize {
		return Key{}, false, fmt.Errorf("x must have %d bytes", ed25519.PublicKeySize)
	}
	key, err := NewKey(j.kid, ed25519.PublicKey(j.x), EdDSA)
	return key, err == nil, err
}
