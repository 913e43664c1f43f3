package why

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// The steps that come before rules.Explain's, beside its StepClient.
const (
	stepRequest        = "request"
	stepAuthentication = "authentication"
)

// judge answers the question from what was seen of the world.
func judge(ctx context.Context, q *question, w *world, now time.Time) *Report {
	r := &Report{
		Client: w.key.String(), Identifier: w.identifier,
		Asks: Asks{Resource: q.resource, GrantType: string(q.grantType), TokenType: string(q.tokenType), Assumed: !q.peerGiven() && !q.dpop},
	}
	if w.resource != nil {
		r.Resource = w.resource.Namespace + "/" + w.resource.Name
	}
	switch {
	case w.client == nil && w.unseen[theClient] != "":
		return w.ofOwner(r, q, now)
	case w.client == nil:
		return w.withoutClient(r)
	}
	r.ClientID = rules.ClientID(w.client)
	known := w.registry()
	request := q.assume(w, known, now)
	scope, ask, refusal := q.ask(cmpOr(w.identifier, q.resource))
	r.Asks.Scope, request.Ask = scope, ask

	by := choose(r, w.credentials(ctx, known, q, request.Peer, now), q)
	if by.shows != "" && !q.peerGiven() {
		request.Peer.Thumbprint = by.shows
	}
	request.Method, request.Workload, request.Pin, request.Secret = by.method, by.workload, by.pin, by.secret
	if by.shows == "" { // the end of a TLS certificate is looked at by the decision itself
		request.CredentialEnds = by.ends
	}
	r.Asks.Certificate, r.Asks.DPoP, r.Asks.By = request.Peer.Thumbprint, request.DPoP != "", by.Name

	facts := w.facts(known, now)
	r.Roles = w.rolesOf(facts, now)
	steps, approval := rules.Explain(facts, request, now)
	r.add(ofRequest(q, request, scope, refusal))
	limit := rules.Limit("")
	for i, s := range steps {
		r.add(w.named(q, w.soften(s, facts), facts))
		if i == 0 { // as the issuer does: who asks comes before what is asked for
			r.add(authentication(by, r.Credentials, facts.OnClient.OK))
		}
		limit = cmpOr(limit, s.Limit)
	}
	r.conclude()
	r.Try = try(r)
	if approval.Valid() && r.Outcome != TokenRefused {
		r.Token = tokenOf(approval, limit, string(w.client.Spec.TokenBinding))
	}
	return r
}

// try are the commands by which an API's owner grants what is missing.
func try(r *Report) (commands []string) {
	if r.Outcome != TokenRefused && r.Ask == "" {
		return nil
	}
	for _, role := range r.Roles {
		switch v1alpha1.RoleState(role.State) {
		case v1alpha1.RolePending, v1alpha1.RoleExpired, v1alpha1.RoleDenied:
			commands = append(commands, "kubectl lanyard approve "+r.Client+" "+role.Name)
		case v1alpha1.RoleGranted, v1alpha1.RoleNotFound:
		}
	}
	return commands
}

func cmpOr[T comparable](a, b T) T {
	var none T
	if a != none {
		return a
	}
	return b
}

// withoutClient is the answer where there is no client.
func (w *world) withoutClient(r *Report) *Report {
	r.add(Step{
		Name: string(rules.StepClient), Verdict: Refused, Number: int(oauth.ErrIdentity),
		Message: fmt.Sprintf("there is no OAuthClient %s in namespace %s; name another namespace by NAMESPACE/NAME or -n, correct the name, or create it", w.key.Name, w.key.Namespace),
	})
	for _, name := range []rules.StepName{
		stepAuthentication, rules.StepGrantType, rules.StepResource, rules.StepRoles, rules.StepSuspension, rules.StepCertificate, rules.StepBinding, rules.StepLifetime,
	} {
		r.add(Step{Name: string(name), Verdict: NotReached, Message: "there is no client to ask it of"})
	}
	r.conclude()
	return r
}

// assume is the request, with what suits the client best where nothing was said: the
// certificate or the proof that its tokens are bound to.
func (q *question) assume(w *world, known *registry.Registry, now time.Time) rules.Request {
	request := rules.Request{GrantType: q.grantType, TokenType: q.tokenType, Peer: q.peer}
	binding := w.client.Spec.TokenBinding
	proof := q.dpop || binding == v1alpha1.TokenBindingDPoP && q.peer.IsZero() && !q.withoutProof
	if !q.peerGiven() && (binding == v1alpha1.TokenBindingMTLS && !proof || q.grantType == oauth.GrantTLSClientAuth) {
		request.Peer = w.bestPin(known, now)
	}
	if proof {
		request.DPoP = "the key of the proof"
	}
	return request
}

// choose takes the first of the credentials that would work, or else one that may. It
// remembers all of them for the report.
func choose(r *Report, all []Credential, q *question) Credential {
	r.Credentials = all
	rank := func(c Credential) int {
		switch {
		case c.Verdict == Passed && (q.peer.IsZero() || q.pod+q.serviceAccount != "" || c.shows == q.peer.Thumbprint):
			return 0
		case c.Verdict == Passed:
			return 1
		case c.Verdict == Unknown:
			return 2
		default:
			return 3
		}
	}
	best := slices.MinFunc(all, func(a, b Credential) int { return rank(a) - rank(b) })
	if best.Verdict != Passed {
		return Credential{Verdict: best.Verdict}
	}
	return best
}

// named says of a resource that is not there by which name it was looked for.
func (w *world) named(q *question, s Step, f rules.Facts) Step {
	if s.Name != string(rules.StepResource) || s.Verdict != Refused || f.Resource != nil {
		return s
	}
	switch {
	case q.resource == "":
		return Step{Name: s.Name, Verdict: NotReached, Message: "the log does not say which resource it was for; add RESOURCE to the command"}
	case !q.byIdentifier():
		s.Message = fmt.Sprintf("there is no ProtectedResource %s; correct the name, or name it by its identifier, such as api://orders", q.resource)
	default:
		if near := cli.Near(q.resource, w.identifiers); len(near) > 0 {
			s.Message += "; did you mean " + strings.Join(near, ", ") + "?"
		}
	}
	return s
}

func ofRequest(q *question, request rules.Request, scope string, refusal *oauth.Error) Step {
	s := Step{Name: stepRequest, Verdict: Passed, Message: "grant_type=" + string(q.grantType)}
	if scope != "" {
		s.Message += ", scope=" + scope
	}
	if q.tokenType != "" {
		s.Message += ", token_type=" + string(q.tokenType)
	}
	if refusal == nil && q.grantType == oauth.GrantTLSClientAuth && request.Peer.IsZero() {
		refusal = oauth.NewError(oauth.ErrGrantNeedsCertificate, "")
	}
	if refusal != nil {
		s.Verdict, s.Number, s.Message = Refused, int(refusal.Number), refusal.Description()
	}
	return s
}

// authentication says whether the client can prove itself now.
func authentication(by Credential, all []Credential, works bool) Step {
	s := Step{Name: stepAuthentication, Verdict: by.Verdict}
	switch by.Verdict {
	case Passed:
		s.Message = fmt.Sprintf("by %s: %s", by.Name, by.Message)
	case Unknown:
		s.Message = "none of the ways that the client lists could be looked at as a whole"
	default:
		s.Number = int(oauth.ErrIdentity)
		s.Message = "none of the ways that the client lists works now"
		if len(all) == 1 {
			s.Message = all[0].Name + ": " + all[0].Message
		}
	}
	if len(all) == 1 && by.Verdict == Unknown {
		s.Message = all[0].Name + ": " + all[0].Message
	}
	if !works {
		s.Message += " (it is not asked of a client that does not work)"
	}
	return s
}
