package jose

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Signer signs tokens with one key and one algorithm. It is safe for use by
// several goroutines if its crypto.Signer is, as those of the standard library
// are.
type Signer struct {
	key       Key
	algorithm Algorithm
	private   crypto.Signer
	// accessToken is the encoded header of an access token, made once.
	accessToken string
}

// NewSigner returns the Signer for a private key, which may live in hardware:
// only its Sign method is used. The error is an ErrKey.
func NewSigner(kid string, algorithm Algorithm, private crypto.Signer) (*Signer, error) {
	if kid == "" {
		return nil, fmt.Errorf("%w: it has no key id; use its Thumbprint", ErrKey)
	}
	if private == nil {
		return nil, fmt.Errorf("%w: there is no private key", ErrKey)
	}
	key, err := NewKey(kid, private.Public(), algorithm)
	if err != nil {
		return nil, err
	}
	s := &Signer{key: key, algorithm: algorithm, private: private}
	if s.accessToken, err = s.header(oauth.TypAccessToken); err != nil {
		return nil, err
	}
	return s, nil
}

// Key is the public half, for a JWKS.
func (s *Signer) Key() Key { return s.key }

// Algorithm is what the Signer signs with.
func (s *Signer) Algorithm() Algorithm { return s.algorithm }

// Sign returns the compact JWS with the given typ over the JSON of claims. The
// s of an ECDSA signature is always the lower one; see Expected.RequireLowS.
func (s *Signer) Sign(typ string, claims any) (string, error) {
	header := s.accessToken
	if typ != oauth.TypAccessToken {
		var err error
		if header, err = s.header(typ); err != nil {
			return "", err
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jose: encode claims: %w", err)
	}
	if len(payload) == 0 || payload[0] != '{' {
		return "", errors.New("jose: claims are not a JSON object")
	}
	size := len(header) + 1 + rawURL.EncodedLen(len(payload))
	token := make([]byte, 0, size+1+rawURL.EncodedLen(512))
	token = append(token, header...)
	token = append(token, '.')
	token = rawURL.AppendEncode(token, payload)
	signature, err := s.signature(token)
	if err != nil {
		return "", err
	}
	token = append(token, '.')
	return string(rawURL.AppendEncode(token, signature)), nil
}

func (s *Signer) header(typ string) (string, error) {
	data, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		KeyID     string    `json:"kid"`
		Type      string    `json:"typ,omitempty"`
	}{s.algorithm, s.key.Kid, typ})
	if err != nil {
		return "", fmt.Errorf("jose: encode header: %w", err)
	}
	return rawURL.EncodeToString(data), nil
}

func (s *Signer) signature(text []byte) ([]byte, error) {
	if s.algorithm == EdDSA {
		return s.sign(text, crypto.Hash(0))
	}
	hash, digest := digestOf(s.algorithm, text)
	switch s.algorithm {
	case PS256:
		return s.sign(digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	case ES256, ES384:
		der, err := s.sign(digest, hash)
		if err != nil {
			return nil, err
		}
		_, curve := ecdsaMethod(s.algorithm)
		return fixedLowS(der, curve)
	default:
		return s.sign(digest, hash)
	}
}

// digestOf hashes the text as the algorithm says (RFC 7518 section 3.1).
func digestOf(a Algorithm, text []byte) (crypto.Hash, []byte) {
	if a == ES384 {
		sum := sha512.Sum384(text)
		return crypto.SHA384, sum[:]
	}
	sum := sha256.Sum256(text)
	return crypto.SHA256, sum[:]
}

func (s *Signer) sign(message []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := s.private.Sign(rand.Reader, message, opts)
	if err != nil {
		return nil, fmt.Errorf("jose: sign with key %q: %w", s.key.Kid, err)
	}
	return signature, nil
}

// fixedLowS turns an ASN.1 ECDSA signature into the form of RFC 7518 section
// 3.4, r and s at full length, with the lower of the two values of s.
func fixedLowS(der []byte, curve *curveOrder) ([]byte, error) {
	var inner cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() {
		return nil, errors.New("jose: the private key gave no ASN.1 signature")
	}
	size := len(curve.order)
	out := make([]byte, 2*size)
	if !curve.fill(out[:size], r) || !curve.fill(out[size:], s) {
		return nil, errors.New("jose: the private key gave a signature out of range")
	}
	if bytes.Compare(out[size:], curve.half) > 0 {
		curve.negate(out[size:])
	}
	return out, nil
}
