package rules_test

import (
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// The status says that no token can come of a role where, and only where, the issuer
// refuses one.
func TestObstacleIsWhatDecideRefusesFor(t *testing.T) {
	unbound := func(c *v1alpha1.OAuthClient) { c.Spec.TokenBinding = v1alpha1.TokenBindingNone }
	open := func(r *v1alpha1.ProtectedResource) { r.Spec.TokenBindingPolicy = v1alpha1.TokenBindingOptional }
	for sentence, test := range map[string]struct {
		client     *v1alpha1.OAuthClient
		resource   *v1alpha1.ProtectedResource
		onResource rules.Verdict
		number     oauth.Number // 0: a token
		says       string
	}{
		"unbound tokens of a resource that takes them":       {client(unbound), resource(open), ok, 0, ""},
		"unbound tokens of a resource that wants bound ones": {client(unbound), resource(), ok, oauth.ErrResourceNeedsBinding, "set spec.tokenBinding to MTLS or DPoP"},
		"a resource that is suspended":                       {client(unbound), resource(open), rules.Verdict{Reason: v1alpha1.ReasonSuspended}, oauth.ErrResourceStopped, "sets spec.suspend: false on ProtectedResource orders/orders"},
		"a resource that does not work":                      {client(unbound), resource(open), rules.Verdict{Reason: v1alpha1.ReasonConflict}, oauth.ErrNoSuchScope, "does not work (Conflict)"},
		"bound tokens of a resource that takes unbound, too": {client(), resource(open), ok, oauth.ErrBindingRequired, ""}, // the request lacks the certificate
	} {
		t.Run(sentence, func(t *testing.T) {
			got := rules.Obstacle(test.client, test.resource, test.onResource)
			if (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
				t.Errorf("says %q; want %q", got, test.says)
			}
			facts := rules.Facts{
				Client: test.client, Namespace: shop(), OnClient: ok, Resource: test.resource, OnResource: test.onResource,
				Roles: []rules.RoleFacts{{Role: role(), OnRole: ok, Assignments: []*v1alpha1.AppRoleAssignment{approval("yes")}}},
			}
			_, refusal := rules.Decide(facts, rules.Request{GrantType: oauth.GrantClientCredentials}, noon)
			if number(refusal) != test.number {
				t.Errorf("the issuer refuses with %d; want %d", number(refusal), test.number)
			}
		})
	}
}
