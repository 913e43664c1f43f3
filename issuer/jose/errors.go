package jose

import "errors"

// What can be wrong with a token. Every error of ParseUnverified and Verify
// wraps exactly one of these and says in words what was found and what was
// expected.
var (
	// ErrMalformed: not a compact JWS with a strict JSON header and payload.
	ErrMalformed = errors.New("malformed token")
	// ErrAlgorithm: the algorithm is not allowed, or the key is not for it.
	ErrAlgorithm = errors.New("algorithm not allowed")
	// ErrUnknownKey: no key of this id in the set. A caller may fetch the set
	// anew, at a bounded rate, and try once more.
	ErrUnknownKey = errors.New("unknown key")
	// ErrSignature: the signature is not of this key over this text.
	ErrSignature = errors.New("signature does not verify")
	// ErrType: the header's typ is not what this place accepts.
	ErrType = errors.New("wrong token type")
	// ErrIssuer: iss is not exactly the expected issuer.
	ErrIssuer = errors.New("wrong issuer")
	// ErrAudience: aud is not exactly one expected value.
	ErrAudience = errors.New("wrong audience")
	// ErrExpired: exp has passed, leeway included.
	ErrExpired = errors.New("token has expired")
	// ErrNotYetValid: nbf or iat lies ahead, leeway included.
	ErrNotYetValid = errors.New("token is not valid yet")
	// ErrLifetime: exp is further away than this place accepts.
	ErrLifetime = errors.New("token lives too long")
	// ErrClaims: a registered claim is missing or of the wrong form.
	ErrClaims = errors.New("wrong claims")
	// ErrKey: a key that must not be used: private where a public one belongs,
	// too small, or of an unknown kind.
	ErrKey = errors.New("unusable key")
)

// clip shortens what a stranger wrote, so that an error stays a line.
func clip[T ~string | ~[]byte](s T) string {
	const most = 64
	if len(s) > most {
		return string(s[:most]) + "…"
	}
	return string(s)
}
