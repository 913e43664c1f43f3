package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Approval is the decision that a client gets a token. Only Decide makes one that
// is valid, and issuer/mint signs nothing else: that no token is without a decision
// is a fact of the types.
type Approval struct {
	ok         bool
	clientID   string
	tenant     string
	identifier string
	roles      []string
	scope      string
	thumbprint string
	jkt        string
	evidence   Evidence
	tokenType  oauth.TokenType
	workload   *Workload
	lifetime   time.Duration
	at         time.Time
}

// Evidence names what proved the client, where that ends the token when it goes and
// cnf does not name it.
type Evidence struct {
	// Pin is the thumbprint of the certificate that signed the client's assertion.
	Pin string `json:"x5t#S256,omitempty"`
	// Rule is the subject rule that matched the certificate of the connection, and Leaf
	// the thumbprint of that certificate.
	Rule *Rule  `json:"clientcertificate,omitempty"`
	Leaf string `json:"leaf,omitempty"`
	// Secret is what SecretID says of the client secret.
	Secret string `json:"secret,omitempty"`
}

// SecretID names a client secret by its hash in the client's status: enough to know it
// again, for a token to carry.
func SecretID(hash string) string {
	const most = len("sha256:") + 16
	return strings.TrimPrefix(hash[:min(len(hash), most)], "sha256:")
}

// Valid says whether a was made by Decide.
func (a Approval) Valid() bool { return a.ok }

// ClientID is the token's sub, client_id, azp and appid.
func (a Approval) ClientID() string { return a.clientID }

// Tenant is the client's namespace.
func (a Approval) Tenant() string { return a.tenant }

// Audience is the resource's identifier.
func (a Approval) Audience() string { return a.identifier }

// Roles are the values of the roles that the token gives, in order.
func (a Approval) Roles() []string { return slices.Clone(a.roles) }

// Scope is the token's scope, as a client would ask for it.
func (a Approval) Scope() string { return a.scope }

// Thumbprint is the certificate that the token is bound to (x5t#S256); empty if it is
// bound to none.
func (a Approval) Thumbprint() string { return a.thumbprint }

// JKT is the DPoP key that the token is bound to (RFC 9449 section 6.1); empty if it
// is bound to none.
func (a Approval) JKT() string { return a.jkt }

// Evidence is what the token rests on beside its binding.
func (a Approval) Evidence() Evidence { return a.evidence }

// TokenType is the token_type of the answer.
func (a Approval) TokenType() oauth.TokenType { return a.tokenType }

// Workload names who asked; nil if no service account token was used.
func (a Approval) Workload() *Workload { return a.workload }

// IssuedAt is the moment of the decision.
func (a Approval) IssuedAt() time.Time { return a.at }

// ExpiresAt is when the token ends.
func (a Approval) ExpiresAt() time.Time { return a.at.Add(a.lifetime) }

// Lifetime of the token, in whole seconds.
func (a Approval) Lifetime() time.Duration { return a.lifetime }
