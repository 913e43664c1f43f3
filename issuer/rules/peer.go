package rules

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
)

// Peer is the certificate that the other side of a connection has proved to hold.
// The zero Peer showed none.
type Peer struct {
	// Thumbprint of the certificate (x5t#S256).
	Thumbprint string
	// Chain is what was sent: the certificate first, then whatever the peer says
	// issued it. Nothing of it is believed before it is verified.
	Chain []*x509.Certificate
}

// PeerOf returns the peer that showed chain, in the order of TLS.
func PeerOf(chain []*x509.Certificate) Peer {
	if len(chain) == 0 {
		return Peer{}
	}
	return Peer{Thumbprint: Thumbprint(chain[0].Raw), Chain: chain}
}

// IsZero says whether no certificate was shown.
func (p Peer) IsZero() bool { return p.Thumbprint == "" }

// Thumbprint is the x5t#S256 of a certificate in DER form (RFC 8705 section 3.1).
func Thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
