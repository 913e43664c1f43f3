package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// sentence says what a step found, and what to change where it refused. It is asked
// once the step was judged.
func (d *decision) sentence(s Step) string {
	f, r := d.facts, d.request
	passed := s.Verdict == StepPassed
	switch s.Name {
	case StepClient:
		if passed {
			return "OAuthClient " + name(f.Client) + " works"
		}
		return f.OnClient.Message
	case StepGrantType:
		return d.ofGrantType(s.Refusal)
	case StepResource:
		return d.ofResource(passed)
	case StepRoles:
		if passed {
			return d.ofGrantedRoles()
		}
		return d.ofMissingRoles()
	case StepSuspension:
		if passed {
			return "the resource is not suspended"
		}
		return "ProtectedResource " + name(f.Resource) + ": " + f.OnResource.Message
	case StepCertificate:
		return d.ofCertificate(s.Refusal)
	case StepBinding:
		return d.ofBinding(s.Refusal)
	case StepLifetime:
		if passed {
			return fmt.Sprintf("%s, limited by %s", d.lifetime, s.Limit)
		}
		return fmt.Sprintf("the token would live %s, limited by %s: less than the %s that are of use; renew what ends, or ask for more", d.lifetime, d.least(), MinLifetime)
	default:
		if passed {
			return "the client may use " + string(r.GrantType)
		}
		return s.Refusal.Description()
	}
}

func (d *decision) ofGrantType(refusal *oauth.Error) string {
	grant := d.request.GrantType
	switch {
	case refusal == nil:
		return "the client may use " + string(grant)
	case refusal.Number == oauth.ErrGrantNotAllowed:
		var listed []string
		for _, g := range d.facts.Client.Spec.GrantTypes {
			listed = append(listed, string(g))
		}
		return fmt.Sprintf("the client's spec.grantTypes lists %s and not %s; add it there, or ask by one that is listed", enumerate(listed), grant)
	default:
		return refusal.Description()
	}
}

func (d *decision) ofResource(passed bool) string {
	f := d.facts
	switch {
	case passed:
		return fmt.Sprintf("ProtectedResource %s has the identifier %s", name(f.Resource), f.Resource.Spec.Identifier)
	case f.Resource == nil:
		return fmt.Sprintf("no ProtectedResource has the identifier %q; correct it letter by letter, or have the API's owner create one", d.request.Ask.Identifier)
	default:
		return fmt.Sprintf("ProtectedResource %s does not work (%s): %s", name(f.Resource), f.OnResource.Reason, f.OnResource.Message)
	}
}

func (d *decision) ofGrantedRoles() string {
	if len(d.granted) == 0 {
		return "the token gives no roles, and the resource needs none (spec.assignment: Optional)"
	}
	var values []string
	for _, g := range d.granted {
		values = append(values, g.value)
	}
	return "granted: " + strings.Join(values, ", ")
}

func (d *decision) ofMissingRoles() string {
	f := d.facts
	grants := Grants(f, d.now)
	if len(grants) == 0 {
		return fmt.Sprintf("the client asks for no role on this resource; add one to its spec.roles, and have the owner of %s grant it", name(f.Resource))
	}
	var missing []string
	if d.request.Ask.Roles == nil {
		for _, g := range grants {
			missing = append(missing, g.sentence())
		}
		return strings.Join(missing, "; ")
	}
	for _, value := range d.request.Ask.Roles {
		i := slices.IndexFunc(grants, func(g RoleGrant) bool { return g.Role.Spec.Value == value })
		switch {
		case i < 0:
			missing = append(missing, fmt.Sprintf("the client asks for no role of the value %s on this resource; add it to its spec.roles, or leave it out of the scope", value))
		case grants[i].State != v1alpha1.RoleGranted:
			missing = append(missing, grants[i].sentence())
		}
	}
	return strings.Join(missing, "; ")
}

func (g RoleGrant) sentence() string {
	return fmt.Sprintf("%s (%s) is %s: %s", name(g.Role), g.Role.Spec.Value, g.State, g.Message)
}

func (d *decision) ofCertificate(refusal *oauth.Error) string {
	peer := d.request.Peer
	switch {
	case refusal == nil && peer.IsZero():
		return "no certificate is shown"
	case refusal == nil && d.match.Rule != nil:
		return fmt.Sprintf("certificate %s is what the subject of ClientCertificate %s speaks of, until %s", peer.Thumbprint, d.match.Rule.Name, clock(d.match.Ends))
	case refusal == nil:
		return fmt.Sprintf("certificate %s is pinned to the client until %s", peer.Thumbprint, clock(d.match.Ends))
	case refusal.Number != oauth.ErrCertificateNotPinned:
		return refusal.Description()
	default:
		return fmt.Sprintf("certificate %s %s", peer.Thumbprint, d.notPinned())
	}
}

// notPinned says what the certificate of the connection is instead of a live pin.
func (d *decision) notPinned() string {
	f, thumbprint := d.facts, d.request.Peer.Thumbprint
	if distrusted(f.Client, f.Certificates, thumbprint) {
		return "is distrusted (spec.distrust of a ClientCertificate); connect with another one"
	}
	for _, cc := range f.Certificates {
		if !cc.of(f.Client) {
			continue
		}
		for i := range cc.Status.Pins {
			if pin := &cc.Status.Pins[i]; pin.Thumbprint == thumbprint {
				if ends := PinEnds(pin); !d.now.Before(ends) {
					return fmt.Sprintf("was pinned to the client by ClientCertificate %s until %s; connect with the one that followed it", cc.Name, clock(ends))
				}
				return fmt.Sprintf("begins to be valid only at %s; compare the clocks", clock(pin.NotBefore.Time))
			}
		}
	}
	return "is not pinned to the client; connect with one that is in status.pins of its ClientCertificates, or pin it with a ClientCertificate"
}

func (d *decision) ofBinding(refusal *oauth.Error) string {
	f := d.facts
	if refusal == nil {
		switch f.Client.Spec.TokenBinding {
		case v1alpha1.TokenBindingMTLS:
			return "the token is bound to the certificate of the connection"
		case v1alpha1.TokenBindingDPoP:
			return "the token is bound to the key of the DPoP proof"
		default:
			return "the token is bound to nothing, as the client wants it and the resource allows"
		}
	}
	switch refusal.Number {
	case oauth.ErrResourceNeedsBinding:
		return fmt.Sprintf("OAuthClient %s asks for tokens that are bound to nothing (spec.tokenBinding: None), and ProtectedResource %s accepts bound tokens only (spec.tokenBindingPolicy: Required); set the client's spec.tokenBinding to MTLS or DPoP. Its roles may read as granted: without a bound token they give nothing",
			name(f.Client), name(f.Resource))
	case oauth.ErrBindingRequired:
		return refusal.Description() + d.withoutPin()
	default:
		return refusal.Description()
	}
}

// withoutPin adds that there is nothing to connect with, where that is so.
func (d *decision) withoutPin() string {
	f := d.facts
	for _, cc := range f.Certificates {
		if !cc.of(f.Client) {
			continue
		}
		if cc.subject != nil {
			return ""
		}
		for i := range cc.Status.Pins {
			if pin := &cc.Status.Pins[i]; Live(pin, nil, d.now) && !distrusted(f.Client, f.Certificates, pin.Thumbprint) {
				return ""
			}
		}
	}
	return "; none is at present: create a ClientCertificate with spec.clientRef " + f.Client.Name + ", or see what keeps it from being ready"
}

// enumerate joins names for a sentence.
func enumerate(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
