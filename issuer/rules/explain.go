package rules

import (
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// StepName names one question of a decision.
type StepName string

// The questions of a decision, in their order.
const (
	StepClient      StepName = "client"      // does the client work
	StepGrantType   StepName = "grant type"  // may it use the grant
	StepResource    StepName = "resource"    // is there such a resource
	StepRoles       StepName = "roles"       // are the roles granted
	StepSuspension  StepName = "suspension"  // is the resource suspended
	StepCertificate StepName = "certificate" // is the connection's certificate the client's
	StepBinding     StepName = "binding"     // is the token bound as client and resource ask
	StepLifetime    StepName = "lifetime"    // does the token live long enough to be used
)

// StepVerdict is the answer to one question.
type StepVerdict string

// The values of StepVerdict.
const (
	StepPassed     StepVerdict = "Passed"
	StepRefused    StepVerdict = "Refused"
	StepNotReached StepVerdict = "NotReached" // there is no resource, or none that works, to ask it of
)

// Step is one question of a decision and its answer.
type Step struct {
	Name    StepName
	Verdict StepVerdict
	// Refusal is what the issuer answers where this is the first step that refuses; nil
	// unless Verdict is StepRefused.
	Refusal *oauth.Error
	// Message says for people what was found and, where that refuses, what to change.
	// It may name what the issuer tells no stranger.
	Message string
	// Limit is what makes the token live no longer; only of a StepLifetime that passed.
	Limit Limit
}

// Limit names what a token must not outlive.
type Limit string

// The values of Limit.
const (
	LimitMost        Limit = "the most that any token lives"
	LimitDefault     Limit = "the default of spec.accessTokenLifetime"
	LimitClient      Limit = "the client's spec.accessTokenLifetime"
	LimitResource    Limit = "the resource's spec.accessTokenLifetime"
	LimitAsked       Limit = "the expiry that was asked for"
	LimitCertificate Limit = "the end of the certificate"
	LimitCredential  Limit = "the end of what authenticated the client"
	LimitApproval    Limit = "the end of an approval"
)

// Explain takes every step of the decision that Decide ends at the first refusal, so
// that a person sees all that stands in the way at once. The first refusal among the
// steps is Decide's; without one the approval is Decide's.
func Explain(f Facts, r Request, now time.Time) ([]Step, Approval) {
	d := decision{facts: f, request: r, now: now}
	all := steps()
	out := make([]Step, 0, len(all))
	ok := true
	for _, s := range all {
		if s.ofResource && f.Resource == nil {
			out = append(out, Step{Name: s.name, Verdict: StepNotReached, Message: "there is no resource to ask it of"})
			continue
		}
		if s.name == StepSuspension && !f.OnResource.OK && f.OnResource.Reason != v1alpha1.ReasonSuspended {
			out = append(out, Step{Name: s.name, Verdict: StepNotReached, Message: "the resource does not work, whether it is suspended or not"})
			continue // StepResource has refused
		}
		answer := Step{Name: s.name, Verdict: StepPassed}
		if answer.Refusal = s.judge(&d); answer.Refusal != nil {
			answer.Verdict, ok = StepRefused, false
		} else if s.name == StepLifetime {
			answer.Limit = d.least()
		}
		answer.Message = d.sentence(answer)
		out = append(out, answer)
	}
	if !ok {
		return out, Approval{}
	}
	return out, d.approve()
}

// least is what limits the token's life; of several that end together the first.
func (d *decision) least() Limit {
	by, life := LimitMost, MaxLifetime
	d.eachLimit(func(limit Limit, most time.Duration) {
		if most < life || most == life && by == LimitMost {
			by, life = limit, most
		}
	})
	return by
}

// RoleGrant is a role of a resource that a client asks for, and how it stands.
type RoleGrant struct {
	Role *v1alpha1.AppRole
	Grant
}

// Grants says how the roles of f stand that the client asks for.
func Grants(f Facts, now time.Time) []RoleGrant {
	var out []RoleGrant
	for _, rf := range f.Roles {
		if rf.Role == nil || f.Resource == nil || !onResource(rf.Role, f.Resource) {
			continue
		}
		out = append(out, RoleGrant{rf.Role, GrantOf(f.Client, f.Namespace, rf.Role, rf.OnRole, rf.Assignments, now)})
	}
	return out
}
