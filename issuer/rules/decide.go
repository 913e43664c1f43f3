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
	Certificates []*Certificate

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
	// Peer is the certificate of the connection.
	Peer Peer
	// DPoP is the thumbprint (RFC 7638) of the key of a DPoP proof that was verified;
	// empty if there is none.
	DPoP string
	// Method is how the client authenticated.
	Method oauth.AuthMethod
	// Pin is the thumbprint of the pin that signed the client's assertion; empty if
	// none did.
	Pin string
	// Secret is the SecretID of the client secret that authenticated the client; empty if
	// none did.
	Secret string
	// CredentialEnds is when what authenticated the client ends; zero: not known.
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
	if r.GrantType == oauth.GrantTLSClientAuth && r.Method != oauth.AuthTLSClient && r.Method != oauth.AuthSelfSignedTLSClient {
		return Approval{}, oauth.NewError(oauth.ErrGrantNeedsCertificate, "")
	}
	granted, refusal := decideRoles(f, r, now)
	if refusal != nil {
		return Approval{}, refusal
	}
	match, refusal := decideBinding(f, r, now)
	if refusal != nil {
		return Approval{}, refusal
	}
	lifetime := decideLifetime(f, r, match, granted, now)
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
	switch f.Client.Spec.TokenBinding {
	case v1alpha1.TokenBindingMTLS:
		a.thumbprint = match.Thumbprint
	case v1alpha1.TokenBindingDPoP:
		a.jkt, a.tokenType = r.DPoP, oauth.TokenDPoP
	case v1alpha1.TokenBindingNone:
	}
	a.evidence = evidenceOf(a, r, match)
	if r.TokenType == oauth.TokenMTLSPoP {
		a.tokenType = oauth.TokenMTLSPoP
	}
	return a, nil
}

// evidenceOf is what a rests on that its cnf does not name.
func evidenceOf(a Approval, r Request, match Match) Evidence {
	e := Evidence{Pin: r.Pin, Rule: match.Rule, Secret: r.Secret}
	switch {
	case match.Rule != nil:
		e.Leaf = match.Thumbprint
	case e.Pin == "":
		e.Pin = match.Thumbprint
	}
	if e.Pin == a.thumbprint {
		e.Pin = ""
	}
	if e.Leaf == a.thumbprint {
		e.Leaf = ""
	}
	return e
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
		if rf.Role == nil || !onResource(rf.Role, f.Resource) {
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

// decideBinding returns what the connection's certificate is to the client; nothing
// if no certificate was presented and none is needed.
func decideBinding(f Facts, r Request, now time.Time) (Match, *oauth.Error) {
	no := func(n oauth.Number, detail string) (Match, *oauth.Error) { return Match{}, oauth.NewError(n, detail) }
	if r.DPoP != "" && !r.Peer.IsZero() {
		return no(oauth.ErrTwoBindings, "")
	}
	var match Match
	if !r.Peer.IsZero() {
		// Also where the client authenticated otherwise, and where its tokens are
		// not bound: a certificate that is not the client's is never passed over.
		var ok bool
		if match, ok = LivePin(f.Client, f.Certificates, r.Peer, now); !ok {
			return no(oauth.ErrCertificateNotPinned, "")
		}
	}
	asksMTLS := r.TokenType == oauth.TokenMTLSPoP
	switch f.Client.Spec.TokenBinding {
	case v1alpha1.TokenBindingMTLS:
		if r.Peer.IsZero() {
			return no(oauth.ErrBindingRequired, "")
		}
	case v1alpha1.TokenBindingDPoP:
		if asksMTLS {
			return no(oauth.ErrBindingNotRequested, "token_type=mtls_pop asks for a token that is bound to a certificate, and the client's spec.tokenBinding is DPoP; leave token_type out, or set it to MTLS")
		}
		if r.DPoP == "" {
			return no(oauth.ErrDPoPRequired, "")
		}
	case v1alpha1.TokenBindingNone:
		switch {
		case f.Resource.Spec.TokenBindingPolicy != v1alpha1.TokenBindingOptional:
			return no(oauth.ErrResourceNeedsBinding, "")
		case asksMTLS:
			return no(oauth.ErrBindingNotRequested, "")
		case r.DPoP != "":
			return no(oauth.ErrBindingNotRequested, "a DPoP proof asks for a bound token, and the client's spec.tokenBinding is None; set it to DPoP, or leave the proof out")
		}
	default:
		return no(oauth.ErrNotServedYet, "the client's spec.tokenBinding is one that this version of Lanyard does not serve; set it to MTLS")
	}
	return match, nil
}

// decideLifetime is the least of everything that the token rests on.
func decideLifetime(f Facts, r Request, match Match, granted []grantedRole, now time.Time) time.Duration {
	d := defaultLifetime
	if l := f.Client.Spec.AccessTokenLifetime; l != nil {
		d = l.Duration
	}
	d = min(d, MaxLifetime)
	if l := f.Resource.Spec.AccessTokenLifetime; l != nil {
		d = min(d, l.Duration)
	}
	if r.Ask.MaxLifetime != 0 {
		d = min(d, r.Ask.MaxLifetime)
	}
	until := func(t time.Time) {
		if !t.IsZero() {
			d = min(d, t.Sub(now))
		}
	}
	until(match.Ends)
	until(r.CredentialEnds)
	for _, g := range granted {
		until(g.ends)
	}
	return d.Truncate(time.Second)
}

func scopeOf(identifier string, roles []string) string {
	if len(roles) == 0 {
		return identifier + "/" + oauth.DefaultScope
	}
	return identifier + "/" + strings.Join(roles, " "+identifier+"/")
}
