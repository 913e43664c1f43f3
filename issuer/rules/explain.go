package rules

import (
	"time"

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
	StepNotReached StepVerdict = "NotReached" // there is no resource to ask it of
)

// Step is one question of a decision and its answer.
type Step struct {
	Name    StepName
	Verdict StepVerdict
	// Refusal is what the issuer answers where this is the first step that refuses; nil
	// unless Verdict is StepRefused.
	Refusal *oauth.Error
}

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
			out = append(out, Step{Name: s.name, Verdict: StepNotReached})
			continue
		}
		answer := Step{Name: s.name, Verdict: StepPassed}
		if answer.Refusal = s.judge(&d); answer.Refusal != nil {
			answer.Verdict, ok = StepRefused, false
		}
		out = append(out, answer)
	}
	if !ok {
		return out, Approval{}
	}
	return out, d.approve()
}
