package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// MinLifetime is the shortest life a token is given. Below it a caller could not
// use the token before it ends.
const MinLifetime = 30 * time.Second

// MaxLifetime is the longest life of any token, whatever an object says.
const MaxLifetime = time.Hour

const defaultLifetime = 10 * time.Minute

// Facts is what is known of one client, and of the resource that it asks for, at
// one moment.
type Facts struct {
	// Client that has authenticated, and the namespace it is in.
	Client    *v1alpha1.OAuthClient
	Namespace *Namespace
	// OnClient is Client's verdict.
	OnClient Verdict
	// Certificates are the client's ClientCertificates.
	Certificates []*v1alpha1.ClientCertificate

	// Resource that is asked for: the oldest allowed one with the identifier; nil
	// if there is none.
	Resource   *v1alpha1.ProtectedResource
	OnResource Verdict
	// Roles of that resource that the client asks for in its spec.
	Roles []RoleFacts
}

// RoleFacts is what is known of one role that the client asks for.
type RoleFacts struct {
	Role        *v1alpha1.AppRole
	OnRole      Verdict
	Assignments []*v1alpha1.AppRoleAssignment
}

// Request is what an authenticated client asks for.
type Request struct {
	GrantType oauth.GrantType
	Ask       Ask
	// TokenType that was asked for; empty: the default.
	TokenType oauth.TokenType
	// Thumbprint (x5t#S256) of the connection's certificate; empty if there is none.
	Thumbprint string
	// CredentialEnds is when the assertion that authenticated the client ends;
	// zero if it was none.
	CredentialEnds time.Time
	// Workload is what the client's service account token said; nil if none was used.
	Workload *Workload
}

// Workload names the service account, and the pod, that asked.
type Workload struct {
	Namespace, ServiceAccount, ServiceAccountUID string
	// Pod and PodUID are empty for a token that is bound to none.
	Pod, PodUID string
}

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
	tokenType  oauth.TokenType
	workload   *Workload
	lifetime   time.Duration
	at         time.Time
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

// Thumbprint is the certificate that the token is bound to (x5t#S256); empty for a
// bearer token.
func (a Approval) Thumbprint() string { return a.thumbprint }

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

// Decide says whether the authenticated client of f gets the token that r asks
// for, and which. It never looks at who the client is: that was verified before.
func Decide(f Facts, r Request, now time.Time) (Approval, *oauth.Error) {
	if !f.OnClient.OK {
		// clientauth refuses this already; a rule that everything rests on is asked twice.
		return Approval{}, identity(f.OnClient.Reason)
	}
	if !slices.Contains(f.Client.Spec.GrantTypes, v1alpha1.GrantType(r.GrantType)) {
		return Approval{}, oauth.NewError(oauth.ErrGrantNotAllowed, "")
	}
	granted, refusal := decideRoles(f, r, now)
	if refusal != nil {
		return Approval{}, refusal
	}
	pin, refusal := decideBinding(f, r, now)
	if refusal != nil {
		return Approval{}, refusal
	}
	lifetime := decideLifetime(f, r, pin, granted, now)
	if lifetime < MinLifetime {
		return Approval{}, oauth.NewError(oauth.ErrLifetimeTooLow, "")
	}

	a := Approval{
		ok:         true,
		clientID:   ClientID(f.Client),
		tenant:     f.Client.Namespace,
		identifier: f.Resource.Spec.Identifier,
		tokenType:  oauth.TokenBearer,
		workload:   r.Workload,
		lifetime:   lifetime,
		at:         now,
	}
	for _, g := range granted {
		a.roles = append(a.roles, g.value)
	}
	a.scope = scopeOf(a.identifier, a.roles)
	if f.Client.Spec.TokenBinding == v1alpha1.TokenBindingMTLS {
		a.thumbprint = pin.Thumbprint
	}
	if r.TokenType == oauth.TokenMTLSPoP {
		a.tokenType = oauth.TokenMTLSPoP
	}
	return a, nil
}

// identity is the refusal that tells a stranger nothing; why is for the log.
func identity(why string) *oauth.Error {
	e := oauth.NewError(oauth.ErrIdentity, "")
	e.Reason = why
	return e
}

type grantedRole struct {
	value string
	ends  time.Time // zero: never
}

// decideRoles returns the roles that the token will give. What is unknown and what
// is not granted are refused alike, so that nobody can list a neighbour's roles.
func decideRoles(f Facts, r Request, now time.Time) ([]grantedRole, *oauth.Error) {
	no := func() *oauth.Error {
		if r.Ask.ByResource {
			return oauth.NewError(oauth.ErrNoSuchResource, "")
		}
		return oauth.NewError(oauth.ErrNoSuchScope, "")
	}
	if f.Resource == nil || !f.OnResource.OK && f.OnResource.Reason != v1alpha1.ReasonSuspended {
		return nil, no()
	}
	var granted []grantedRole
	for _, rf := range f.Roles {
		if rf.Role == nil || rf.Role.Namespace != f.Resource.Namespace || rf.Role.Spec.ResourceRef.Name != f.Resource.Name {
			continue
		}
		if g := GrantOf(f.Client, f.Namespace, rf.Role, rf.OnRole, rf.Assignments, now); g.State == v1alpha1.RoleGranted {
			granted = append(granted, grantedRole{rf.Role.Spec.Value, g.ExpiresAt})
		}
	}
	if r.Ask.Roles == nil {
		granted = usable(granted, now)
	} else {
		have := granted
		granted = nil
		for _, value := range r.Ask.Roles {
			i := slices.IndexFunc(have, func(g grantedRole) bool { return g.value == value })
			if i < 0 {
				return nil, no()
			}
			granted = append(granted, have[i])
		}
	}
	if len(granted) == 0 && f.Resource.Spec.Assignment != v1alpha1.AssignmentOptional {
		return nil, no()
	}
	if !f.OnResource.OK {
		return nil, oauth.NewError(oauth.ErrResourceStopped, "")
	}
	slices.SortFunc(granted, func(a, b grantedRole) int { return strings.Compare(a.value, b.value) })
	return granted, nil
}

// usable leaves out the roles whose approval is about to end, if others are left:
// one that expires must not take all of .default with it for its last seconds.
func usable(granted []grantedRole, now time.Time) []grantedRole {
	lasting := slices.DeleteFunc(slices.Clone(granted), func(g grantedRole) bool {
		return !g.ends.IsZero() && g.ends.Sub(now) < MinLifetime
	})
	if len(lasting) == 0 {
		return granted
	}
	return lasting
}

// decideBinding returns the live pin of the connection's certificate, nil if no
// certificate was presented and none is needed.
func decideBinding(f Facts, r Request, now time.Time) (*v1alpha1.Pin, *oauth.Error) {
	var pin *v1alpha1.Pin
	if r.Thumbprint != "" {
		// Also where the client authenticated otherwise, and where its tokens are
		// not bound: a certificate that is not the client's is never passed over.
		if pin = LivePin(f.Client, f.Certificates, r.Thumbprint, now); pin == nil {
			return nil, oauth.NewError(oauth.ErrCertificateNotPinned, "")
		}
	}
	switch f.Client.Spec.TokenBinding {
	case v1alpha1.TokenBindingMTLS:
		if pin == nil {
			return nil, oauth.NewError(oauth.ErrBindingRequired, "")
		}
		return pin, nil
	case v1alpha1.TokenBindingNone:
		if f.Resource.Spec.TokenBindingPolicy != v1alpha1.TokenBindingOptional {
			return nil, oauth.NewError(oauth.ErrResourceNeedsBinding, "")
		}
		if r.TokenType == oauth.TokenMTLSPoP {
			return nil, oauth.NewError(oauth.ErrBindingNotRequested, "")
		}
		return pin, nil
	default:
		return nil, oauth.NewError(oauth.ErrNotServedYet, "the client's spec.tokenBinding is one that this version of Lanyard does not serve yet; set it to MTLS")
	}
}

// decideLifetime is the least of everything that the token rests on.
func decideLifetime(f Facts, r Request, pin *v1alpha1.Pin, granted []grantedRole, now time.Time) time.Duration {
	d := defaultLifetime
	if l := f.Client.Spec.AccessTokenLifetime; l != nil {
		d = l.Duration
	}
	d = min(d, MaxLifetime)
	if l := f.Resource.Spec.AccessTokenLifetime; l != nil {
		d = min(d, l.Duration)
	}
	if pin != nil {
		d = min(d, PinEnds(pin).Sub(now))
	}
	if !r.CredentialEnds.IsZero() {
		d = min(d, r.CredentialEnds.Sub(now))
	}
	for _, g := range granted {
		if !g.ends.IsZero() {
			d = min(d, g.ends.Sub(now))
		}
	}
	return d.Truncate(time.Second)
}

func scopeOf(identifier string, roles []string) string {
	if len(roles) == 0 {
		return identifier + "/" + oauth.DefaultScope
	}
	return identifier + "/" + strings.Join(roles, " "+identifier+"/")
}
