package dpop

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

const (
	// Typ is the typ header of a proof (RFC 9449 section 4.2).
	Typ = "dpop+jwt"
	// MaxBytes is how long a proof may be. The largest RSA key that is accepted
	// makes one of 4 KiB.
	MaxBytes = 8 << 10
	// MaxIDBytes is how long a jti may be: each is remembered for a while.
	MaxIDBytes = 128
	// MaxAge is how long after its iat a proof may be used, leeway not included.
	MaxAge = time.Minute
	// Leeway is how far the clocks of caller and server may be apart.
	Leeway = jose.DefaultLeeway
)

// Proof is a DPoP proof whose form is right. What it says holds for nothing until
// Check and Verify have passed.
type Proof struct {
	// Thumbprint is the jkt of the proof's key (RFC 9449 section 6.1): its JWK
	// thumbprint with SHA-256.
	Thumbprint string
	// ID is jti, at most MaxIDBytes long.
	ID string
	// Nonce is the nonce that a server gave out, or empty.
	Nonce string
	// IssuedAt is iat.
	IssuedAt time.Time

	method, url, tokenHash string // htm, htu, ath
	jws                    *jose.Proof
}

// ParseHeader is Parse for the values of all DPoP headers of a request, which
// must be exactly one (RFC 9449 section 4.3, check 1).
func ParseHeader(values []string) (*Proof, error) {
	switch len(values) {
	case 0:
		return nil, errors.New("there is no DPoP header; send one with a proof")
	case 1:
		return Parse(values[0])
	default:
		return nil, fmt.Errorf("there are %d DPoP headers; send one", len(values))
	}
}

// Parse reads a proof: a JWT of typ dpop+jwt with the claims jti, htm, htu and
// iat, signed with an asymmetric algorithm, and in its header the public key that
// is for it (RFC 9449 section 4.3, checks 2 to 5, and 7). The signature is not
// verified.
func Parse(raw string) (*Proof, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("the DPoP proof has %d bytes, at most %d are accepted", len(raw), MaxBytes)
	}
	jws, err := jose.ParseProof(raw, Typ)
	if err != nil {
		return nil, fmt.Errorf("the DPoP proof is not accepted: %w", err)
	}
	p := &Proof{Thumbprint: jws.Thumbprint, ID: jws.Claims.ID, IssuedAt: jws.Claims.IssuedAt, jws: jws}
	if err := jose.EachMember(jws.Payload, p.readMember); err != nil {
		return nil, fmt.Errorf("the DPoP proof is not accepted: %w", err)
	}
	switch {
	case p.ID == "":
		return nil, missing("jti")
	case len(p.ID) > MaxIDBytes:
		return nil, fmt.Errorf("the jti of the DPoP proof has %d bytes, at most %d are accepted", len(p.ID), MaxIDBytes)
	case p.method == "":
		return nil, missing("htm")
	case p.url == "":
		return nil, missing("htu")
	case p.IssuedAt.IsZero():
		return nil, missing("iat")
	}
	return p, nil
}

func missing(claim string) error {
	return fmt.Errorf("the DPoP proof has no %s", claim)
}

// readMember reads the claims that only a proof has. Those of every JWT are read
// by package jose.
func (p *Proof) readMember(name, value []byte) error {
	switch string(name) {
	case "htm":
		return jose.ReadString(name, value, &p.method)
	case "htu":
		return jose.ReadString(name, value, &p.url)
	case "ath":
		return jose.ReadString(name, value, &p.tokenHash)
	case "nonce":
		return jose.ReadString(name, value, &p.Nonce)
	}
	for _, known := range [...]string{"htm", "htu", "ath", "nonce"} {
		if bytes.EqualFold(name, []byte(known)) {
			return fmt.Errorf("a name looks like %s and is not", known)
		}
	}
	return nil
}

// Ends is when Check begins to refuse the proof as too old. A memory against
// replay keeps its ID until then.
func (p *Proof) Ends() time.Time { return p.IssuedAt.Add(MaxAge + Leeway) }

// Verify verifies the signature with the proof's own key (RFC 9449 section 4.3,
// check 6).
func (p *Proof) Verify() error {
	if err := p.jws.Verify(); err != nil {
		return fmt.Errorf("the DPoP proof is not accepted: %w", err)
	}
	return nil
}
