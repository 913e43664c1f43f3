package jose

import "fmt"

// Proof is a JWS that brings its own public key, in the member jwk of its header
// (RFC 7515 section 4.1.3). It proves that whoever made it holds the private key,
// and nothing about who that is: its key says nothing until it is compared, by
// its Thumbprint, with one that is known by other means.
//
// It is a type of its own, so that no access token and no assertion is ever
// verified with a key that it brought along.
type Proof struct {
	Claims Claims
	// Payload is the JSON of all claims, for EachMember.
	Payload []byte
	// Thumbprint is that of the key (RFC 7638, with SHA-256).
	Thumbprint string

	key Key
	jws Unverified
}

// ParseProof reads a compact JWS as ParseUnverified does, with exactly the given
// typ and a public key in its header that is for its algorithm. The signature is
// not verified yet. The errors are ErrMalformed, ErrAlgorithm, ErrType, ErrClaims
// and ErrKey.
func ParseProof(raw, typ string) (*Proof, error) {
	p := &Proof{}
	header, err := p.jws.split(raw)
	if err != nil {
		return nil, err
	}
	var own []byte
	err = p.jws.Header.read(header, func(name, value []byte) error {
		if string(name) == "jwk" {
			own = value
			return nil
		}
		if err := refuseFolded(name, []string{"jwk"}); err != nil {
			return err
		}
		return p.jws.Header.readMember(name, value)
	})
	if err != nil {
		return nil, err
	}
	if p.jws.Header.Type != typ {
		return nil, fmt.Errorf("%w: typ is %q, it must be %q", ErrType, clip(p.jws.Header.Type), typ)
	}
	if p.key, err = keyOfHeader(own, p.jws.Header.Algorithm); err != nil {
		return nil, err
	}
	if p.Thumbprint, err = Thumbprint(p.key.Public); err != nil {
		return nil, err
	}
	if err := p.jws.Claims.read(p.jws.payload); err != nil {
		return nil, err
	}
	p.Claims, p.Payload = p.jws.Claims, p.jws.payload
	return p, nil
}

// keyOfHeader reads the value of jwk as a public key for exactly alg.
func keyOfHeader(data []byte, alg Algorithm) (Key, error) {
	if data == nil {
		return Key{}, fmt.Errorf("%w: the header has no jwk; it must hold the public key", ErrKey)
	}
	j, err := readJWK(data)
	if err != nil {
		return Key{}, fmt.Errorf("%w: jwk: %w", ErrKey, err)
	}
	if j.use != "" && j.use != "sig" || j.hasOps && !j.verifies() {
		return Key{}, fmt.Errorf("%w: jwk is a key of another use; it must be for signatures", ErrKey)
	}
	if j.alg == "" {
		j.alg = string(alg)
	}
	if j.alg != string(alg) {
		return Key{}, fmt.Errorf("%w: jwk is for %q, alg is %s", ErrKey, clip(j.alg), alg)
	}
	key, ok, err := j.key()
	if err != nil {
		return Key{}, fmt.Errorf("%w: jwk: %w", ErrKey, err)
	}
	if !ok || !canVerify(alg, key.Public) {
		return Key{}, fmt.Errorf("%w: jwk is no public key for %s; use RSA of %d to %d bits, ECDSA on P-256 or P-384, or Ed25519",
			ErrKey, alg, minRSABits, maxRSABits)
	}
	return key, nil
}

// Verify verifies the signature with the proof's own key. The error is an
// ErrSignature.
func (p *Proof) Verify() error {
	// A high s is accepted: it makes a second signature, but not a second proof,
	// because a proof is known by its jti.
	return verifySignature(p.jws.Header.Algorithm, p.key.Public, p.jws.signed, p.jws.signature, false)
}
