package tokens

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"time"
)

// Token is an access token and the certificate it is bound to. They are switched
// together and never handed out apart. It does not change once it is made.
type Token struct {
	// Value is the token itself. It belongs in no log.
	Value string
	// Type is the token_type of the answer (RFC 6749 section 7.1), nearly always Bearer,
	// also for a bound token (RFC 8705 section 3).
	Type string
	// Resource is the identifier that the token was asked for.
	Resource string
	// Scope is what was granted (RFC 6749 section 5.1).
	Scope string
	// IssuedAt is when it was asked for, and ExpiresAt when it ends at the latest: what
	// the answer needed to come is taken off.
	IssuedAt, ExpiresAt time.Time
	// Thumbprint is the x5t#S256 that the token is bound to (RFC 8705 section 3.1);
	// empty if it is bound to none.
	Thumbprint string
	// Certificate is the one that the token was asked with; nil if there is none.
	Certificate *tls.Certificate
}

// validAt says whether the token has not ended. A nil token never is.
func (t *Token) validAt(now time.Time) bool { return t != nil && now.Before(t.ExpiresAt) }

// View is everything that is held at one moment. Nothing of it may be changed.
type View struct {
	// Certificate is what the tokens are bound to; nil if there is none.
	Certificate *tls.Certificate
	// Tokens by resource. Some may have ended, and some not be there yet.
	Tokens map[string]*Token
}

// Thumbprint is the x5t#S256 of a certificate (RFC 8705 section 3.1).
func Thumbprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
