package jose

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DefaultLeeway is how far two honest clocks may be apart. None at all breaks
// fleets.
const DefaultLeeway = 30 * time.Second

// Expected says what a token must be to be accepted in one place. The zero value
// accepts nothing.
type Expected struct {
	// Now is the time of the judgement.
	Now time.Time
	// Issuer is what iss must be, byte for byte.
	Issuer string
	// Audiences are the names of this place. aud must be exactly one value,
	// equal to one of these: a token that is also for somebody else could be
	// replayed by them (audience injection, CVE-2025-27370).
	Audiences []string
	// Types are the accepted values of typ, byte for byte; "" stands for a
	// header without typ.
	Types []string
	// Algorithms narrows what is accepted. None means all of Algorithms.
	Algorithms []Algorithm
	// Leeway is applied to exp, nbf and iat. Zero means DefaultLeeway.
	Leeway time.Duration
	// MaxRemaining bounds how far ahead exp may be, leeway added. Zero means no
	// bound.
	MaxRemaining time.Duration
	// RequireLowS refuses an ECDSA signature (r, s) with s above half the order
	// of the curve. Such a signature is (r, n-s) turned around, which anybody
	// can do: it still proves that the key's owner signed this very text, but
	// makes a second token out of one. Lanyard's own tokens are signed with a
	// low s and verified with this set, so that each has one form only. Other
	// signers, the API server among them, give out high ones half of the time.
	RequireLowS bool
}

// Token is a verified token. Only Verify and VerifyWithKey make it.
type Token struct {
	Header Header
	Claims Claims
	// Payload is the JSON of all claims, for DecodeClaims.
	Payload []byte
}

// Verify verifies the token with the key of exactly its kid. The errors are
// those of this package; ErrUnknownKey comes only for a token that is otherwise
// meant for this place, so that a stranger's token causes no fetch.
func (u *Unverified) Verify(keys KeySet, want Expected) (*Token, error) {
	if err := u.checkRoute(want); err != nil {
		return nil, err
	}
	if u.Header.KeyID == "" {
		return nil, fmt.Errorf("%w: the header has no kid", ErrMalformed)
	}
	key, ok := keys.Key(u.Header.KeyID)
	if !ok || key.Kid != u.Header.KeyID {
		return nil, fmt.Errorf("%w: no key has the kid %q", ErrUnknownKey, clip(u.Header.KeyID))
	}
	return u.verify(key, want)
}

// VerifyWithKey verifies the token with a key that the caller chose by other
// means, such as x5t#S256. If the key has a Kid, the token must name it.
func (u *Unverified) VerifyWithKey(key Key, want Expected) (*Token, error) {
	if err := u.checkRoute(want); err != nil {
		return nil, err
	}
	if key.Kid != "" && key.Kid != u.Header.KeyID {
		return nil, fmt.Errorf("%w: the token names the kid %q", ErrUnknownKey, clip(u.Header.KeyID))
	}
	return u.verify(key, want)
}

// checkRoute judges what says where the token belongs. It needs no key.
func (u *Unverified) checkRoute(want Expected) error {
	h := u.Header
	if len(want.Algorithms) > 0 && !slices.Contains(want.Algorithms, h.Algorithm) {
		return fmt.Errorf("%w: alg is %s, it must be one of %v", ErrAlgorithm, h.Algorithm, want.Algorithms)
	}
	if !slices.Contains(want.Types, h.Type) {
		return fmt.Errorf("%w: typ is %q, it must be one of %q", ErrType, clip(h.Type), want.Types)
	}
	if want.Issuer == "" || u.Claims.Issuer != want.Issuer {
		return fmt.Errorf("%w: iss is %q, it must be %q", ErrIssuer, clip(u.Claims.Issuer), want.Issuer)
	}
	return nil
}

func (u *Unverified) verify(key Key, want Expected) (*Token, error) {
	if !slices.Contains(key.Algorithms, u.Header.Algorithm) {
		return nil, fmt.Errorf("%w: alg is %s, the key is for %v", ErrAlgorithm, u.Header.Algorithm, key.Algorithms)
	}
	if !canVerify(u.Header.Algorithm, key.Public) {
		return nil, fmt.Errorf("%w: alg is %s, the key is a %s", ErrKey, u.Header.Algorithm, describe(key.Public))
	}
	if err := verifySignature(u.Header.Algorithm, key.Public, u.signed, u.signature, want.RequireLowS); err != nil {
		return nil, err
	}
	if err := u.Claims.check(want); err != nil {
		return nil, err
	}
	return &Token{Header: u.Header, Claims: u.Claims, Payload: u.payload}, nil
}

func (c *Claims) check(want Expected) error {
	if len(c.Audience) != 1 || !slices.Contains(want.Audiences, c.Audience[0]) {
		return fmt.Errorf("%w: aud is %s, it must be exactly one of %q", ErrAudience, describeAudience(c.Audience), want.Audiences)
	}
	leeway := want.Leeway
	if leeway == 0 {
		leeway = DefaultLeeway
	}
	switch now := want.Now; {
	case now.IsZero():
		return fmt.Errorf("%w: the time of the judgement is not known", ErrNotYetValid)
	case c.Expiry.IsZero():
		return fmt.Errorf("%w: exp is missing", ErrClaims)
	case !now.Before(c.Expiry.Add(leeway)):
		return fmt.Errorf("%w: exp was %s ago", ErrExpired, now.Sub(c.Expiry).Truncate(time.Second))
	case want.MaxRemaining > 0 && c.Expiry.After(now.Add(want.MaxRemaining+leeway)):
		return fmt.Errorf("%w: exp is %s away, at most %s is accepted", ErrLifetime, c.Expiry.Sub(now).Truncate(time.Second), want.MaxRemaining)
	case !c.NotBefore.IsZero() && now.Before(c.NotBefore.Add(-leeway)):
		return fmt.Errorf("%w: nbf is %s ahead", ErrNotYetValid, c.NotBefore.Sub(now).Truncate(time.Second))
	case !c.IssuedAt.IsZero() && now.Before(c.IssuedAt.Add(-leeway)):
		return fmt.Errorf("%w: iat is %s ahead", ErrNotYetValid, c.IssuedAt.Sub(now).Truncate(time.Second))
	}
	return nil
}

func describeAudience(aud []string) string {
	switch len(aud) {
	case 0:
		return "missing"
	case 1:
		return fmt.Sprintf("%q", clip(aud[0]))
	}
	return fmt.Sprintf("a list of %d", len(aud))
}

// strictPSS takes the salt length that RFC 7518 section 3.5 prescribes;
// golang-jwt's own PS256 verifies any.
var strictPSS = &jwt.SigningMethodRSAPSS{
	SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA,
	Options:          &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256},
}

// verifySignature does the mathematics. The key has been found fit for a.
func verifySignature(a Algorithm, public crypto.PublicKey, signed string, signature []byte, lowS bool) error {
	var err error
	switch a {
	case RS256:
		err = jwt.SigningMethodRS256.Verify(signed, signature, public)
	case PS256:
		err = strictPSS.Verify(signed, signature, public)
	case ES256, ES384:
		// Fixed length: one signature has one encoding (RFC 7518 section 3.4).
		method, curve := ecdsaMethod(a)
		size := len(curve.order)
		if len(signature) != 2*size {
			return fmt.Errorf("%w: it has %d bytes, %s has %d", ErrSignature, len(signature), a, 2*size)
		}
		if lowS && bytes.Compare(signature[size:], curve.half) > 0 {
			return fmt.Errorf("%w: its s is above half of the curve's order", ErrSignature)
		}
		err = method.Verify(signed, signature, public)
	case EdDSA:
		err = jwt.SigningMethodEdDSA.Verify(signed, signature, public)
	default:
		return fmt.Errorf("%w: alg is %q", ErrAlgorithm, clip(a))
	}
	if err != nil {
		return fmt.Errorf("%w with this key and %s", ErrSignature, a)
	}
	return nil
}

func ecdsaMethod(a Algorithm) (*jwt.SigningMethodECDSA, *curveOrder) {
	if a == ES384 {
		return jwt.SigningMethodES384, &orderP384
	}
	return jwt.SigningMethodES256, &orderP256
}
