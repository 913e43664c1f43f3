package verifier

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/dpop"
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
	// which was the connection's. Empty for a token that is not bound to one.
	Thumbprint string
	// JKT is the thumbprint of the key that the token is bound to (RFC 9449
	// section 6.1), which signed the proof. Empty for a token that is not bound
	// to one.
	JKT string
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

// Request is an access token, and what came with it.
type Request struct {
	// Token is the access token.
	Token string
	// Scheme is that of the Authorization header: Bearer, MTLS_POP or DPoP. Empty
	// where the protocol has none; then the token alone says what it is bound to.
	Scheme string
	// Certificate is the client certificate of the connection, proven by the TLS
	// handshake, or nil. Never pass one that the peer merely sent, in a header or
	// elsewhere.
	Certificate *x509.Certificate
	// Proofs are the values of all DPoP headers. A token that is bound to a DPoP
	// key needs exactly one.
	Proofs []string
	// Method and URLs are what the htm of the proof must be, and what its htu may
	// be. Query and fragment do not count.
	Method string
	URLs   []string
}

// Verify judges a token that came over a connection whose client certificate,
// proven by the TLS handshake, is certificate; nil if there was none. It is
// VerifyRequest for a token without a DPoP proof.
func (v *Verifier) Verify(ctx context.Context, token string, certificate *x509.Certificate) (*Token, error) {
	return v.VerifyRequest(ctx, Request{Token: token, Certificate: certificate})
}

// VerifyRequest judges a token by what came with it. The error is a *Refusal, or
// wraps ErrUnavailable if the token could not be judged.
func (v *Verifier) VerifyRequest(ctx context.Context, r Request) (*Token, error) {
	t, _, err := v.judge(ctx, r)
	return t, err
}

// judge returns the accepted token and, if it is bound to a DPoP key, the proof.
func (v *Verifier) judge(ctx context.Context, r Request) (*Token, *dpop.Proof, error) {
	verified, err := v.verifyJWT(ctx, r.Token)
	if errors.Is(err, ErrUnavailable) {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, refuse(err)
	}
	var private privateClaims
	if err := jose.DecodeClaims(verified.Payload, &private); err != nil {
		return nil, nil, refuse(err)
	}
	t, refusal := accept(verified.Claims, private)
	if refusal == nil {
		refusal = checkBinding(t, r, v.allowUnbound)
	}
	if refusal != nil {
		return nil, nil, refusal
	}
	if t.JKT == "" {
		return t, nil, nil
	}
	proof, err := v.checkProof(t, r)
	if err != nil {
		return nil, nil, err
	}
	return t, proof, nil
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
		return nil, notAccepted("the token has no sub", nil)
	}
	if p.ClientID == "" {
		return nil, notAccepted("the token has no client_id", nil)
	}
	thumbprint, jkt, refusal := confirmation(p.Confirmation)
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
		JKT:        jkt,
		Workload:   p.Workload,
	}, nil
}
