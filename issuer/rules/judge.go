package rules

import (
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

func (d *decision) judgeClient() *oauth.Error {
	if !d.facts.OnClient.OK {
		// clientauth refuses this already; a rule that everything rests on is asked twice.
		return identity(d.facts.OnClient.Reason)
	}
	return nil
}

// identity is the refusal that tells a stranger nothing; why is for the log.
func identity(why string) *oauth.Error {
	e := oauth.NewError(oauth.ErrIdentity, "")
	e.Reason = why
	return e
}

func (d *decision) judgeGrantType() *oauth.Error {
	grant, method := d.request.GrantType, d.request.Method
	if !slices.Contains(d.facts.Client.Spec.GrantTypes, v1alpha1.GrantType(grant)) {
		return oauth.NewError(oauth.ErrGrantNotAllowed, "")
	}
	if grant == oauth.GrantTLSClientAuth && method != oauth.AuthTLSClient && method != oauth.AuthSelfSignedTLSClient {
		return oauth.NewError(oauth.ErrGrantNeedsCertificate, "")
	}
	return nil
}

// nothing refuses what is asked for. What is unknown and what is not granted are
// refused alike, so that nobody can list a neighbour's roles.
func (d *decision) nothing() *oauth.Error {
	if d.request.Ask.ByResource {
		return oauth.NewError(oauth.ErrNoSuchResource, "")
	}
	return oauth.NewError(oauth.ErrNoSuchScope, "")
}

// judgeResource passes over a suspension: judgeSuspension tells that to those only who
// have a role on the resource.
func (d *decision) judgeResource() *oauth.Error {
	f := d.facts
	if f.Resource == nil || !f.OnResource.OK && f.OnResource.Reason != v1alpha1.ReasonSuspended {
		return d.nothing()
	}
	return nil
}

func (d *decision) judgeSuspension() *oauth.Error {
	if !d.facts.OnResource.OK {
		return oauth.NewError(oauth.ErrResourceStopped, "")
	}
	return nil
}

type grantedRole struct {
	value string
	ends  time.Time // zero: never
}

// judgeRoles finds the roles that the token will give.
func (d *decision) judgeRoles() *oauth.Error {
	f, r := d.facts, d.request
	var granted []grantedRole
	for _, rf := range f.Roles {
		if rf.Role == nil || !onResource(rf.Role, f.Resource) {
			continue
		}
		if g := GrantOf(f.Client, f.Namespace, rf.Role, rf.OnRole, rf.Assignments, d.now); g.State == v1alpha1.RoleGranted {
			granted = append(granted, grantedRole{rf.Role.Spec.Value, g.ExpiresAt})
		}
	}
	if r.Ask.Roles == nil {
		granted = usable(granted, d.now)
	} else {
		have := granted
		granted = nil
		for _, value := range r.Ask.Roles {
			i := slices.IndexFunc(have, func(g grantedRole) bool { return g.value == value })
			if i < 0 {
				return d.nothing()
			}
			granted = append(granted, have[i])
		}
	}
	if len(granted) == 0 && f.Resource.Spec.Assignment != v1alpha1.AssignmentOptional {
		return d.nothing()
	}
	slices.SortFunc(granted, func(a, b grantedRole) int { return strings.Compare(a.value, b.value) })
	d.granted = granted
	return nil
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

// judgeCertificate finds what the connection's certificate is to the client. Also where
// the client authenticated otherwise, and where its tokens are not bound: a certificate
// that is not the client's is never passed over.
func (d *decision) judgeCertificate() *oauth.Error {
	r := d.request
	if r.Peer.IsZero() {
		return nil
	}
	if r.DPoP != "" {
		return oauth.NewError(oauth.ErrTwoBindings, "")
	}
	var ok bool
	if d.match, ok = LivePin(d.facts.Client, d.facts.Certificates, r.Peer, d.now); !ok {
		return oauth.NewError(oauth.ErrCertificateNotPinned, "")
	}
	return nil
}

func (d *decision) judgeBinding() *oauth.Error {
	no := oauth.NewError
	r := d.request
	asksMTLS := r.TokenType == oauth.TokenMTLSPoP
	switch d.facts.Client.Spec.TokenBinding {
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
		case unboundRefused(d.facts.Client, d.facts.Resource):
			return no(oauth.ErrResourceNeedsBinding, "")
		case asksMTLS:
			return no(oauth.ErrBindingNotRequested, "")
		case r.DPoP != "":
			return no(oauth.ErrBindingNotRequested, "a DPoP proof asks for a bound token, and the client's spec.tokenBinding is None; set it to DPoP, or leave the proof out")
		}
	default:
		return no(oauth.ErrNotServedYet, "the client's spec.tokenBinding is one that this version of Lanyard does not serve; set it to MTLS")
	}
	return nil
}

// judgeLifetime finds the least of everything that the token rests on.
func (d *decision) judgeLifetime() *oauth.Error {
	life := MaxLifetime
	d.eachLimit(func(_ Limit, most time.Duration) { life = min(life, most) })
	if d.lifetime = life.Truncate(time.Second); d.lifetime < MinLifetime {
		return oauth.NewError(oauth.ErrLifetimeTooLow, "")
	}
	return nil
}

// eachLimit tells all that the token must not outlive, and how long each still lasts.
func (d *decision) eachLimit(tell func(by Limit, most time.Duration)) {
	if l := d.facts.Client.Spec.AccessTokenLifetime; l != nil {
		tell(LimitClient, l.Duration)
	} else {
		tell(LimitDefault, defaultLifetime)
	}
	if l := d.facts.Resource.Spec.AccessTokenLifetime; l != nil {
		tell(LimitResource, l.Duration)
	}
	if wanted := d.request.Ask.MaxLifetime; wanted != 0 {
		tell(LimitAsked, wanted)
	}
	if ends := d.match.Ends; !ends.IsZero() {
		tell(LimitCertificate, ends.Sub(d.now))
	}
	if ends := d.request.CredentialEnds; !ends.IsZero() {
		tell(LimitCredential, ends.Sub(d.now))
	}
	for _, g := range d.granted {
		if !g.ends.IsZero() {
			tell(LimitApproval, g.ends.Sub(d.now))
		}
	}
}
