package verifier

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// Token is an accepted access token: who calls, and what it may do.
type Token struct {
	Issuer   string
	Audience string
	// Subject and ClientID are the client's id, by default
	// "<namespace>/<name>" of its OAuthClient.
	Subject  string
	ClientID string
	// ID is the token's own id (jti), the same in the issuer's log.
	ID string
	// Tenant is the client's namespace (tid).
	Tenant string
	// Roles are the AppRoles that the client has on this resource.
	Roles []string
	// Scope is the granted scope, separated by spaces.
	Scope    string
	IssuedAt time.Time
	Expiry   time.Time
	// Thumbprint is the x5t#S256 of the certificate that the token is bound to,
	// which was the connection's. Empty for a token that is not bound.
	Thumbprint string
	// Workload says where the token was asked for. It is empty for a client
	// that is no service account.
	Workload Workload
}

// Workload is the claim kubernetes.io.
type Workload struct {
	Namespace      string `json:"namespace"`
	ServiceAccount Object `json:"serviceaccount"`
	Pod            Object `json:"pod"`
}

// Object is an object of Kubernetes.
type Object struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// HasRole reports whether the client has the role on this resource.
func (t *Token) HasRole(role string) bool { return slices.Contains(t.Roles, role) }

// privateClaims are the claims that are no registered ones of RFC 7519.
type privateClaims struct {
	ClientID     string         `json:"client_id"`
	Tenant       string         `json:"tid"`
	Roles        []string       `json:"roles"`
	Scope        string         `json:"scope"`
	Confirmation map[string]any `json:"cnf"`
	Workload     Workload       `json:"kubernetes.io"`
}

// Verify judges a token that came over a connection whose client certificate,
// proven by the TLS handshake, is certificate; nil if there was none. Never pass
// a certificate that the peer merely sent, in a header or elsewhere.
//
// The error is a *Refusal, or wraps ErrUnavailable if the token could not be
// judged.
func (v *Verifier) Verify(ctx context.Context, token string, certificate *x509.Certificate) (*Token, error) {
	verified, err := v.verifyJWT(ctx, token)
	if errors.Is(err, ErrUnavailable) {
		return nil, err
	}
	if err != nil {
		return nil, refuse(err)
	}
	var private privateClaims
	if err := jose.DecodeClaims(verified.Payload, &private); err != nil {
		return nil, refuse(err)
	}
	t, refusal := accept(verified.Claims, private)
	if refusal == nil {
		refusal = checkBinding(t.Thumbprint, certificate, v.allowUnbound)
	}
	if refusal != nil {
		return nil, refusal
	}
	return t, nil
}

// verifyJWT verifies with the keys at hand, and once more with renewed ones if
// the key is not among them.
func (v *Verifier) verifyJWT(ctx context.Context, token string) (*jose.Token, error) {
	unverified, err := jose.ParseUnverified(token)
	if err != nil {
		return nil, err
	}
	expected := v.expected
	expected.Now = v.now()
	verified, err := unverified.Verify(v.keys.current(ctx), expected)
	if !errors.Is(err, jose.ErrUnknownKey) {
		return verified, err
	}
	keys, err := v.keys.renewed(ctx)
	if err != nil {
		return nil, err
	}
	return unverified.Verify(keys, expected)
}

// accept reads what a verified token says of its client and its binding.
func accept(c jose.Claims, p privateClaims) (*Token, *Refusal) {
	if c.Subject == "" {
		return nil, invalidToken("the token has no sub")
	}
	if p.ClientID == "" {
		return nil, invalidToken("the token has no client_id")
	}
	thumbprint, refusal := confirmation(p.Confirmation)
	if refusal != nil {
		return nil, refusal
	}
	return &Token{
		Issuer:     c.Issuer,
		Audience:   c.Audience[0],
		Subject:    c.Subject,
		ClientID:   p.ClientID,
		ID:         c.ID,
		Tenant:     p.Tenant,
		Roles:      p.Roles,
		Scope:      p.Scope,
		IssuedAt:   c.IssuedAt,
		Expiry:     c.Expiry,
		Thumbprint: thumbprint,
		Workload:   p.Workload,
	}, nil
}

// confirmation reads cnf (RFC 7800 section 3.1): absent, or a certificate's
// thumbprint and nothing else. What is not understood is a binding that would
// not be checked, and is refused.
func confirmation(cnf map[string]any) (thumbprint string, refusal *Refusal) {
	if cnf == nil {
		return "", nil
	}
	if _, ok := cnf["jkt"]; ok {
		return "", invalidToken("the token is bound to a DPoP key, which is not served yet; ask for one that is bound to a certificate")
	}
	text, ok := cnf["x5t#S256"].(string)
	if !ok || text == "" || len(cnf) != 1 {
		return "", invalidToken("the token is bound in a way that is not known here; its cnf must have x5t#S256 alone")
	}
	return text, nil
}

// checkBinding judges RFC 8705 section 3: the certificate of the connection must
// be the one in the token.
func checkBinding(thumbprint string, certificate *x509.Certificate, allowUnbound bool) *Refusal {
	switch {
	case thumbprint == "" && allowUnbound:
		return nil
	case thumbprint == "":
		return invalidToken("the token is not bound to a certificate, and this resource accepts bound tokens only")
	case certificate == nil:
		return invalidToken("the token is bound to a certificate; connect with it over mutual TLS")
	case jose.X5TS256(certificate.Raw) != thumbprint:
		return invalidToken("the token is bound to another certificate than that of the connection")
	}
	return nil
}
