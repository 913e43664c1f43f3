package rules_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// pick returns one of values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// sometimes calls f once in n times.
func sometimes(r *rand.Rand, n int, f func()) {
	if r.IntN(n) == 0 {
		f()
	}
}

// randomly changes anything that a decision looks at, each now and then, so that about
// one scene in ten still gets a token.
func randomly(r *rand.Rand) func(*scene) {
	verdict := func() rules.Verdict {
		return pick(r, ok, ok, rules.Verdict{Reason: v1alpha1.ReasonSuspended, Message: "stopped"}, rules.Verdict{Reason: v1alpha1.ReasonConflict, Message: "held"})
	}
	soon := func() time.Time { return noon.Add(time.Duration(r.IntN(1200)-120) * time.Second) }
	return func(s *scene) {
		sometimes(r, 8, func() { s.OnClient = verdict() })
		sometimes(r, 8, func() { s.OnResource = verdict() })
		sometimes(r, 12, func() { s.Client.Spec.GrantTypes = pick(r, nil, []v1alpha1.GrantType{"tls_client_auth"}) })
		sometimes(r, 6, func() { tlsGrant(s); s.Method = pick(r, oauth.AuthTLSClient, oauth.AuthPrivateKeyJWT) })
		sometimes(r, 3, func() {
			s.Client.Spec.TokenBinding = pick[v1alpha1.TokenBinding](r, "MTLS", "DPoP", "None", "None", "")
		})
		sometimes(r, 2, func() { s.Resource.Spec.TokenBindingPolicy = pick(r, v1alpha1.TokenBindingOptional, "") })
		sometimes(r, 3, func() { s.Resource.Spec.Assignment = v1alpha1.AssignmentOptional })
		sometimes(r, 3, func() { s.Peer.Thumbprint = pick(r, "", "", "y") })
		sometimes(r, 3, func() { s.DPoP = "k" })
		sometimes(r, 5, func() { s.TokenType = pick(r, oauth.TokenBearer, oauth.TokenMTLSPoP) })
		sometimes(r, 5, func() { s.Certificates[0].Spec.Distrust = []v1alpha1.Thumbprint{"x"} })
		sometimes(r, 4, func() { s.pin().NotAfter = *at(soon()) })
		sometimes(r, 6, func() { s.pin().NotBefore = *at(soon()) })
		sometimes(r, 6, func() { s.pin().RetiresAt = at(soon()) })
		sometimes(r, 4, func() { s.CredentialEnds = soon() })
		sometimes(r, 4, func() { s.Ask.MaxLifetime = time.Duration(r.IntN(900)) * time.Second })
		sometimes(r, 4, func() { s.Client.Spec.AccessTokenLifetime = pick(r, nil, minutes(1), minutes(90)) })
		sometimes(r, 4, func() { s.Resource.Spec.AccessTokenLifetime = pick(r, nil, minutes(1), minutes(90)) })
		sometimes(r, 2, func() { s.addRole("b", "B") })
		for i := range s.Roles {
			sometimes(r, 6, func() { s.Roles[i].OnRole = verdict() })
			sometimes(r, 6, func() { denied(s.Roles[i].Assignments[0]) })
			sometimes(r, 6, func() { until(soon())(s.Roles[i].Assignments[0]) })
			sometimes(r, 8, func() { s.Roles[i].Assignments = nil })
			sometimes(r, 12, func() { s.Roles[i].Role.Spec.ResourceRef.Name = "another" })
		}
		sometimes(r, 6, func() {
			s.Ask.Roles = pick(r, []string{"B"}, []string{"Orders.Read.All"}, []string{"B", "Orders.Read.All"})
		})
		sometimes(r, 8, func() { s.Ask.ByResource = s.Ask.Roles == nil })
		sometimes(r, 12, func() { s.Roles = nil })
		sometimes(r, 16, func() { s.Resource, s.Roles = nil, nil })
	}
}

// Explain is Decide, told at length: it refuses if and only if Decide does, with the
// same number first, and what it approves is the same. Every step has something to say.
func TestExplainAgreesWithDecide(t *testing.T) {
	const scenes = 20_000
	r := rand.New(rand.NewPCG(4, 4))
	numbers := map[oauth.Number]int{}
	for i := range scenes {
		s := newScene(randomly(r))
		approval, refusal := rules.Decide(s.Facts, s.Request, noon)
		steps, explained := rules.Explain(s.Facts, s.Request, noon)
		var first *oauth.Error
		for _, step := range steps {
			if first == nil {
				first = step.Refusal
			}
			if step.Message == "" || (step.Verdict == rules.StepRefused) != (step.Refusal != nil) {
				t.Fatalf("scene %d: step %+v", i, step)
			}
		}
		if diff := cmp.Diff(refusal, first); diff != "" {
			t.Fatalf("scene %d: the refusals of Decide (-) and Explain (+) differ:\n%s", i, diff)
		}
		if diff := cmp.Diff(approval, explained, cmp.AllowUnexported(rules.Approval{})); diff != "" {
			t.Fatalf("scene %d: the approvals of Decide (-) and Explain (+) differ:\n%s", i, diff)
		}
		numbers[number(refusal)]++
	}
	// A property that was shown of refusals alone, or of one number, would show little.
	for _, n := range []oauth.Number{
		0, oauth.ErrIdentity, oauth.ErrGrantNotAllowed, oauth.ErrGrantNeedsCertificate, oauth.ErrNoSuchScope, oauth.ErrNoSuchResource,
		oauth.ErrResourceStopped, oauth.ErrTwoBindings, oauth.ErrCertificateNotPinned, oauth.ErrBindingRequired, oauth.ErrDPoPRequired,
		oauth.ErrResourceNeedsBinding, oauth.ErrBindingNotRequested, oauth.ErrNotServedYet, oauth.ErrLifetimeTooLow,
	} {
		if numbers[n] < scenes/1000 {
			t.Errorf("%d of %d scenes ended with %d: too few to show anything", numbers[n], scenes, n)
		}
	}
}

func TestExplainSaysWhatToChange(t *testing.T) {
	tests := map[string]struct {
		change func(*scene)
		step   rules.StepName
		want   string
	}{
		"a grant that is not listed": {
			func(s *scene) { s.GrantType = oauth.GrantTLSClientAuth }, rules.StepGrantType,
			"the client's spec.grantTypes lists client_credentials and not tls_client_auth; add it there, or ask by one that is listed",
		},
		"no resource": {
			func(s *scene) { s.Resource, s.Roles = nil, nil }, rules.StepResource,
			`no ProtectedResource has the identifier "api://orders"; correct it letter by letter, or have the API's owner create one`,
		},
		"a pending role": {
			func(s *scene) { s.Roles[0].Assignments = nil }, rules.StepRoles,
			"orders/orders-read (Orders.Read.All) is Pending: waits for the API's owner to create an AppRoleAssignment in namespace orders for role orders-read",
		},
		"a role that the client does not ask for": {
			func(s *scene) { s.Roles = nil }, rules.StepRoles,
			"the client asks for no role on this resource; add one to its spec.roles, and have the owner of orders/orders grant it",
		},
		"a scope that names a role that the client does not ask for": {
			func(s *scene) { s.Ask.Roles = []string{"Orders.Write.All"} }, rules.StepRoles,
			"the client asks for no role of the value Orders.Write.All on this resource; add it to its spec.roles, or leave it out of the scope",
		},
		"roles read as granted, and give nothing": {
			func(s *scene) { s.Client.Spec.TokenBinding, s.Peer = v1alpha1.TokenBindingNone, rules.Peer{} }, rules.StepBinding,
			"OAuthClient shop/checkout asks for tokens that are bound to nothing (spec.tokenBinding: None), and ProtectedResource orders/orders accepts bound tokens only (spec.tokenBindingPolicy: Required); set the client's spec.tokenBinding to MTLS or DPoP. Its roles may read as granted: without a bound token they give nothing",
		},
		"a pin that has ended": {
			func(s *scene) { s.pin().RetiresAt = at(noon) }, rules.StepCertificate,
			"certificate x was pinned to the client by ClientCertificate checkout until 2026-03-01T12:00:00Z; connect with the one that followed it",
		},
		"no live pin": {
			func(s *scene) { s.pin().RetiresAt, s.Peer = at(noon), rules.Peer{} }, rules.StepBinding,
			"the client's spec.tokenBinding is MTLS: connect with a certificate that is pinned to the client; none is at present: create a ClientCertificate with spec.clientRef checkout, or see what keeps it from being ready",
		},
		"what limits a token's life": {
			func(s *scene) { until(noon.Add(5 * time.Minute))(s.assignment()) }, rules.StepLifetime,
			"5m0s, limited by the end of an approval",
		},
		"too little is left": {
			func(s *scene) { s.Ask.MaxLifetime = 5 * time.Second }, rules.StepLifetime,
			"the token would live 5s, limited by the expiry that was asked for: less than the 30s that are of use; renew what ends, or ask for more",
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s := newScene(test.change)
			steps, _ := rules.Explain(s.Facts, s.Request, noon)
			for _, step := range steps {
				if step.Name == test.step {
					if diff := cmp.Diff(test.want, step.Message); diff != "" {
						t.Errorf("message (-want +got):\n%s", diff)
					}
				}
			}
		})
	}
}
