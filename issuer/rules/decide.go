package rules

import (
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
// for, and which. It never looks at who the client is: that was verified before. It
// takes the steps of decision, and ends at the first that refuses; Explain takes all.
func Decide(f Facts, r Request, now time.Time) (Approval, *oauth.Error) {
	d := decision{facts: f, request: r, now: now}
	for _, s := range steps() {
		if refusal := s.judge(&d); refusal != nil {
			return Approval{}, refusal
		}
	}
	return d.approve(), nil
}

// decision is one decision on its way: what it rests on, and what its steps found.
type decision struct {
	facts   Facts
	request Request
	now     time.Time

	granted  []grantedRole
	match    Match
	lifetime time.Duration
}

// step is one question of a decision. judge returns nil if the answer is yes.
type step struct {
	name  StepName
	judge func(*decision) *oauth.Error
	// ofResource says that the question cannot be asked of no resource.
	ofResource bool
}

// steps are the questions of a decision, in their order. All must be answered yes.
func steps() [8]step {
	return [...]step{
		{StepClient, (*decision).judgeClient, false},
		{StepGrantType, (*decision).judgeGrantType, false},
		{StepResource, (*decision).judgeResource, false},
		{StepRoles, (*decision).judgeRoles, true},
		{StepSuspension, (*decision).judgeSuspension, true},
		{StepCertificate, (*decision).judgeCertificate, false},
		{StepBinding, (*decision).judgeBinding, true},
		{StepLifetime, (*decision).judgeLifetime, true},
	}
}

// approve says what the token is, once every step was answered yes.
func (d *decision) approve() Approval {
	f, r := d.facts, d.request
	a := Approval{
		ok:         true,
		clientID:   ClientID(f.Client),
		tenant:     f.Client.Namespace,
		identifier: f.Resource.Spec.Identifier,
		tokenType:  oauth.TokenBearer,
		workload:   r.Workload,
		lifetime:   d.lifetime,
		at:         d.now,
	}
	for _, g := range d.granted {
		a.roles = append(a.roles, g.value)
	}
	a.scope = scopeOf(a.identifier, a.roles)
	switch f.Client.Spec.TokenBinding {
	case v1alpha1.TokenBindingMTLS:
		a.thumbprint = d.match.Thumbprint
	case v1alpha1.TokenBindingDPoP:
		a.jkt, a.tokenType = r.DPoP, oauth.TokenDPoP
	case v1alpha1.TokenBindingNone:
	}
	a.evidence = evidenceOf(a, r, d.match)
	if r.TokenType == oauth.TokenMTLSPoP {
		a.tokenType = oauth.TokenMTLSPoP
	}
	return a
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

func scopeOf(identifier string, roles []string) string {
	if len(roles) == 0 {
		return identifier + "/" + oauth.DefaultScope
	}
	return identifier + "/" + strings.Join(roles, " "+identifier+"/")
}
