package rules

import (
	"crypto"
	"crypto/sha1" //nolint:gosec // x5t is defined with it (RFC 7515 section 4.1.7); it only chooses among the client's pins
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// Certificate is a ClientCertificate read once, when it changed: with the public
// keys of its pins, and its subject rule.
type Certificate struct {
	*v1alpha1.ClientCertificate
	keys     []pinKey // of Status.Pins, in their order
	imported bool     // by spec.pem: no CA vouches for it
	subject  *Subject // nil without spec.subject, or if that cannot be read
}

type pinKey struct {
	x5t    string
	public crypto.PublicKey
}

// ReadCertificate reads cc. What cannot be read matches nothing. The texts of the
// certificates, which are many times as large as what was read, are not kept.
func ReadCertificate(cc *v1alpha1.ClientCertificate) *Certificate {
	small := *cc
	small.Status.Pins = slices.Clone(cc.Status.Pins)
	c := &Certificate{ClientCertificate: &small, keys: make([]pinKey, len(small.Status.Pins)), imported: cc.Spec.PEM != ""}
	for i := range small.Status.Pins {
		pin := &small.Status.Pins[i]
		c.keys[i] = readPin(pin)
		pin.Certificate = ""
	}
	small.Spec.PEM = ""
	if cc.Spec.Subject != nil {
		c.subject, _ = ReadSubject(cc.Spec.Subject) // the controller's status says what is wrong
		subject := *cc.Spec.Subject
		subject.CABundle = ""
		small.Spec.Subject = &subject
	}
	return c
}

// readPin reads the key of a pin; none if its text is not the certificate of its
// thumbprint.
func readPin(pin *v1alpha1.Pin) pinKey {
	block, _ := pem.Decode([]byte(pin.Certificate))
	if block == nil || Thumbprint(block.Bytes) != pin.Thumbprint {
		return pinKey{}
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return pinKey{}
	}
	sum := sha1.Sum(block.Bytes) //nolint:gosec // see above
	return pinKey{base64.RawURLEncoding.EncodeToString(sum[:]), certificate.PublicKey}
}

// of says whether the certificate is of client c.
func (cc *Certificate) of(c *v1alpha1.OAuthClient) bool {
	return cc.Namespace == c.Namespace && cc.Spec.ClientRef.Name == c.Name
}

// distrusted says whether any of the client's certificates distrusts the thumbprint:
// a stolen key stays stolen under another object's name.
func distrusted(c *v1alpha1.OAuthClient, certificates []*Certificate, thumbprint string) bool {
	return slices.ContainsFunc(certificates, func(cc *Certificate) bool {
		return cc.of(c) && slices.Contains(cc.Spec.Distrust, v1alpha1.Thumbprint(thumbprint))
	})
}

// KeyHint is what the header of an assertion says of its key (RFC 7515 section
// 4.1). It chooses a pin within the client, and proves nothing.
type KeyHint struct {
	X5TS256, X5T, KeyID string
}

// SigningPin is a live pin whose key may sign assertions.
type SigningPin struct {
	Thumbprint string
	Public     crypto.PublicKey
	// Ends is when the pin does.
	Ends time.Time
}

// AssertionPin finds the live pin of client c that hint names: by x5t#S256 and x5t,
// which must agree if both are set; else by kid, which may be either of them, or the
// SHA-1 thumbprint in hexadecimal, as Microsoft writes it.
func AssertionPin(c *v1alpha1.OAuthClient, certificates []*Certificate, hint KeyHint, now time.Time) (SigningPin, bool) {
	var found SigningPin
	for _, cc := range certificates {
		if !cc.of(c) {
			continue
		}
		for i := range cc.Status.Pins {
			pin, key := &cc.Status.Pins[i], cc.keys[i]
			if key.public == nil || !hint.names(pin.Thumbprint, key.x5t) || !Live(pin, nil, now) || distrusted(c, certificates, pin.Thumbprint) {
				continue
			}
			if found.Public == nil || found.Ends.Before(PinEnds(pin)) {
				found = SigningPin{pin.Thumbprint, key.public, PinEnds(pin)}
			}
		}
	}
	return found, found.Public != nil
}

func (h KeyHint) names(thumbprint, x5t string) bool {
	switch {
	case h.X5TS256 != "" || h.X5T != "":
		return (h.X5TS256 == "" || h.X5TS256 == thumbprint) && (h.X5T == "" || h.X5T == x5t)
	case h.KeyID == "":
		return false
	case h.KeyID == thumbprint || h.KeyID == x5t:
		return true
	default:
		sum, err := hex.DecodeString(h.KeyID)
		return err == nil && base64.RawURLEncoding.EncodeToString(sum) == x5t
	}
}
