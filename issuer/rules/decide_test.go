package rules_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// scene is a request that gets a token; tests change one thing in it.
type scene struct {
	rules.Facts
	rules.Request
}

func (s *scene) pin() *v1alpha1.Pin { return &s.Certificates[0].Status.Pins[0] }

func (s *scene) assignment() *v1alpha1.AppRoleAssignment { return s.Roles[0].Assignments[0] }

// addRole adds a granted role to the resource that is asked for.
func (s *scene) addRole(name, value string) *rules.RoleFacts {
	r := role(func(r *v1alpha1.AppRole) { r.Name, r.Spec.Value = name, value })
	s.Roles = append(s.Roles, rules.RoleFacts{Role: r, OnRole: ok, Assignments: []*v1alpha1.AppRoleAssignment{
		approval("grants-"+name, func(a *v1alpha1.AppRoleAssignment) { a.Spec.RoleRef.Name = name }),
	}})
	return &s.Roles[len(s.Roles)-1]
}

func newScene(changes ...func(*scene)) *scene {
	return edit(&scene{
		Facts: rules.Facts{
			Client: client(), Namespace: shop(), OnClient: ok,
			Certificates: read(pinned("x")),
			Resource:     resource(), OnResource: ok,
			Roles: []rules.RoleFacts{{Role: role(), OnRole: ok, Assignments: []*v1alpha1.AppRoleAssignment{approval("a")}}},
		},
		Request: rules.Request{
			GrantType: oauth.GrantClientCredentials,
			Ask:       rules.Ask{Identifier: "api://orders"},
			Peer:      rules.Peer{Thumbprint: "x"},
		},
	}, changes)
}

func unbound(s *scene) {
	s.Client.Spec.TokenBinding = v1alpha1.TokenBindingNone
	s.Resource.Spec.TokenBindingPolicy = v1alpha1.TokenBindingOptional
	s.Peer = rules.Peer{}
}

func dpop(s *scene) {
	s.Client.Spec.TokenBinding = v1alpha1.TokenBindingDPoP
	s.Peer, s.DPoP = rules.Peer{}, "k"
}

func tlsGrant(s *scene) {
	s.Client.Spec.GrantTypes = append(s.Client.Spec.GrantTypes, "tls_client_auth")
	s.GrantType, s.Method = oauth.GrantTLSClientAuth, oauth.AuthTLSClient
}

func TestDecideApproves(t *testing.T) {
	type token struct {
		ClientID, Tenant, Audience, Scope, Thumbprint string
		TokenType                                     oauth.TokenType
		Roles                                         []string
		Lifetime                                      time.Duration
	}
	usual := func(change func(*token)) token {
		out := token{
			ClientID: "shop/checkout", Tenant: "shop", Audience: "api://orders", Scope: "api://orders/Orders.Read.All", Thumbprint: "x",
			TokenType: oauth.TokenBearer, Roles: []string{"Orders.Read.All"}, Lifetime: 10 * time.Minute,
		}
		if change != nil {
			change(&out)
		}
		return out
	}
	tests := map[string]struct {
		change func(*scene)
		want   token
	}{
		"a bound token for a granted role": {func(*scene) {}, usual(nil)},
		"every granted role, in order": {
			func(s *scene) { s.addRole("b", "B"); s.addRole("a", "A") },
			usual(func(w *token) {
				w.Roles = []string{"A", "B", "Orders.Read.All"}
				w.Scope = "api://orders/A api://orders/B api://orders/Orders.Read.All"
			}),
		},
		"only the roles that were asked for": {
			func(s *scene) { s.addRole("b", "B"); s.Ask.Roles = []string{"B"} },
			usual(func(w *token) { w.Roles, w.Scope = []string{"B"}, "api://orders/B" }),
		},
		"the roles that are granted, of several": {
			func(s *scene) { s.addRole("b", "B").Assignments = nil },
			usual(nil),
		},
		"a client with an id of its own": {
			func(s *scene) { s.Client.Spec.ClientID = "legacy" },
			usual(func(w *token) { w.ClientID = "legacy" }),
		},
		"a token without roles, where the resource allows it": {
			func(s *scene) { s.Roles, s.Resource.Spec.Assignment = nil, v1alpha1.AssignmentOptional },
			usual(func(w *token) { w.Roles, w.Scope = nil, "api://orders/.default" }),
		},
		"mtls_pop where the request said so": {
			func(s *scene) { s.TokenType = oauth.TokenMTLSPoP },
			usual(func(w *token) { w.TokenType = oauth.TokenMTLSPoP }),
		},
		"a bearer token where both sides allow it": {
			unbound,
			usual(func(w *token) { w.Thumbprint = "" }),
		},
		"a certificate only authenticates where tokens are not bound": {
			func(s *scene) { unbound(s); s.Peer.Thumbprint = "x" },
			usual(func(w *token) { w.Thumbprint = "" }),
		},
		"roles of another resource are left out": {
			func(s *scene) { s.addRole("b", "B").Role.Spec.ResourceRef.Name = "another" },
			usual(nil),
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s := newScene(test.change)
			a, refusal := rules.Decide(s.Facts, s.Request, noon)
			if refusal != nil {
				t.Fatalf("refused: %v", refusal)
			}
			got := token{a.ClientID(), a.Tenant(), a.Audience(), a.Scope(), a.Thumbprint(), a.TokenType(), a.Roles(), a.Lifetime()}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("token (-want +got):\n%s", diff)
			}
			if !a.Valid() || !a.IssuedAt().Equal(noon) || !a.ExpiresAt().Equal(noon.Add(a.Lifetime())) {
				t.Errorf("valid %t, issued at %s, expires at %s", a.Valid(), a.IssuedAt(), a.ExpiresAt())
			}
		})
	}
}

func TestDecideRefuses(t *testing.T) {
	no := func(reason string) rules.Verdict { return rules.Verdict{Reason: reason} }
	tests := map[string]struct {
		change func(*scene)
		want   oauth.Number
	}{
		"a client that does not work":                  {func(s *scene) { s.OnClient = no(v1alpha1.ReasonSuspended) }, oauth.ErrIdentity},
		"a grant type that the client does not list":   {func(s *scene) { s.GrantType = oauth.GrantTLSClientAuth }, oauth.ErrGrantNotAllowed},
		"a client that lists no grant type":            {func(s *scene) { s.Client.Spec.GrantTypes = nil }, oauth.ErrGrantNotAllowed},
		"a resource that is not there":                 {func(s *scene) { s.Resource = nil }, oauth.ErrNoSuchScope},
		"a resource that is not there, by resource":    {func(s *scene) { s.Resource, s.Ask.ByResource = nil, true }, oauth.ErrNoSuchResource},
		"a resource in conflict":                       {func(s *scene) { s.OnResource = no(v1alpha1.ReasonConflict) }, oauth.ErrNoSuchScope},
		"a suspended resource, to who has a role":      {func(s *scene) { s.OnResource = no(v1alpha1.ReasonSuspended) }, oauth.ErrResourceStopped},
		"a suspended resource, to a stranger":          {func(s *scene) { s.OnResource, s.Roles = no(v1alpha1.ReasonSuspended), nil }, oauth.ErrNoSuchScope},
		"a client without a role":                      {func(s *scene) { s.Roles = nil }, oauth.ErrNoSuchScope},
		"a client without a role, by resource":         {func(s *scene) { s.Roles, s.Ask.ByResource = nil, true }, oauth.ErrNoSuchResource},
		"a role that nobody approved":                  {func(s *scene) { s.Roles[0].Assignments = nil }, oauth.ErrNoSuchScope},
		"a role that was denied":                       {func(s *scene) { denied(s.assignment()) }, oauth.ErrNoSuchScope},
		"a role whose approval has expired":            {func(s *scene) { until(noon)(s.assignment()) }, oauth.ErrNoSuchScope},
		"a role that does not work":                    {func(s *scene) { s.Roles[0].OnRole = no(v1alpha1.ReasonConflict) }, oauth.ErrNoSuchScope},
		"a role that is not there":                     {func(s *scene) { s.Roles[0].Role = nil }, oauth.ErrNoSuchScope},
		"a role on another resource":                   {func(s *scene) { s.Roles[0].Role.Spec.ResourceRef.Name = "x" }, oauth.ErrNoSuchScope},
		"a role of the same name in another namespace": {func(s *scene) { s.Roles[0].Role.Namespace = "evil" }, oauth.ErrNoSuchScope},
		"a role that was not granted beside one that was": {
			func(s *scene) { s.Ask.Roles = []string{"Orders.Read.All", "Orders.Write.All"} }, oauth.ErrNoSuchScope,
		},
		"a role that was not granted, though the resource needs none": {
			func(s *scene) {
				s.Resource.Spec.Assignment, s.Ask.Roles = v1alpha1.AssignmentOptional, []string{"Orders.Write.All"}
			}, oauth.ErrNoSuchScope,
		},
		"no certificate where tokens are bound":            {func(s *scene) { s.Peer = rules.Peer{} }, oauth.ErrBindingRequired},
		"a certificate that is not pinned":                 {func(s *scene) { s.Peer.Thumbprint = "y" }, oauth.ErrCertificateNotPinned},
		"a certificate that is not pinned, tokens unbound": {func(s *scene) { unbound(s); s.Peer.Thumbprint = "y" }, oauth.ErrCertificateNotPinned},
		"another client's certificate":                     {func(s *scene) { s.Certificates[0].Spec.ClientRef.Name = "x" }, oauth.ErrCertificateNotPinned},
		"a distrusted certificate":                         {func(s *scene) { s.Certificates[0].Spec.Distrust = []v1alpha1.Thumbprint{"x"} }, oauth.ErrCertificateNotPinned},
		"a certificate whose overlap has passed":           {func(s *scene) { s.pin().RetiresAt = at(noon) }, oauth.ErrCertificateNotPinned},
		"an unbound client where the resource wants bound": {func(s *scene) { unbound(s); s.Resource.Spec.TokenBindingPolicy = v1alpha1.TokenBindingRequired }, oauth.ErrResourceNeedsBinding},
		"a resource whose policy is not known":             {func(s *scene) { unbound(s); s.Resource.Spec.TokenBindingPolicy = "" }, oauth.ErrResourceNeedsBinding},
		"mtls_pop to an unbound client":                    {func(s *scene) { unbound(s); s.TokenType = oauth.TokenMTLSPoP }, oauth.ErrBindingNotRequested},
		"a binding that is not known":                      {func(s *scene) { s.Client.Spec.TokenBinding = "x" }, oauth.ErrNotServedYet},
		"no proof where tokens are bound by DPoP":          {func(s *scene) { dpop(s); s.DPoP = "" }, oauth.ErrDPoPRequired},
		"a certificate where tokens are bound by DPoP":     {func(s *scene) { dpop(s); s.DPoP, s.Peer.Thumbprint = "", "x" }, oauth.ErrDPoPRequired},
		"a proof where tokens are bound to certificates":   {func(s *scene) { s.Peer, s.DPoP = rules.Peer{}, "k" }, oauth.ErrBindingRequired},
		"a proof and a certificate":                        {func(s *scene) { s.DPoP = "k" }, oauth.ErrTwoBindings},
		"a proof and a certificate, by DPoP":               {func(s *scene) { dpop(s); s.Peer.Thumbprint = "x" }, oauth.ErrTwoBindings},
		"a proof where tokens are not bound":               {func(s *scene) { unbound(s); s.DPoP = "k" }, oauth.ErrBindingNotRequested},
		"mtls_pop where tokens are bound by DPoP":          {func(s *scene) { dpop(s); s.TokenType = oauth.TokenMTLSPoP }, oauth.ErrBindingNotRequested},
		"the grant tls_client_auth, which is not listed":   {func(s *scene) { s.GrantType = oauth.GrantTLSClientAuth }, oauth.ErrGrantNotAllowed},
		"the grant tls_client_auth with an assertion": {func(s *scene) {
			tlsGrant(s)
			s.Method = oauth.AuthPrivateKeyJWT
		}, oauth.ErrGrantNeedsCertificate},
		"a shorter life than the least":     {func(s *scene) { s.Ask.MaxLifetime = 29 * time.Second }, oauth.ErrLifetimeTooLow},
		"no binding at all":                 {func(s *scene) { s.Client.Spec.TokenBinding = "" }, oauth.ErrNotServedYet},
		"less than 30 s of the certificate": {func(s *scene) { s.pin().NotAfter = *at(noon.Add(29 * time.Second)) }, oauth.ErrLifetimeTooLow},
		"less than 30 s of the assertion":   {func(s *scene) { s.CredentialEnds = noon.Add(29 * time.Second) }, oauth.ErrLifetimeTooLow},
		"less than 30 s of the assignment":  {func(s *scene) { until(noon.Add(29 * time.Second))(s.assignment()) }, oauth.ErrLifetimeTooLow},
		"an assertion that has ended":       {func(s *scene) { s.CredentialEnds = noon.Add(-time.Second) }, oauth.ErrLifetimeTooLow},
		"a lifetime below zero":             {func(s *scene) { s.Client.Spec.AccessTokenLifetime = minutes(-1) }, oauth.ErrLifetimeTooLow},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s := newScene(test.change)
			a, refusal := rules.Decide(s.Facts, s.Request, noon)
			if n := number(refusal); n != test.want {
				t.Errorf("refused with %d (%v), want %d", n, refusal, test.want)
			}
			if a.Valid() {
				t.Error("the approval is valid")
			}
		})
	}
}

// A role that is about to end must not take the others of .default with it.
func TestARoleThatIsAboutToEndIsLeftOutOfDefault(t *testing.T) {
	ending := until(noon.Add(29 * time.Second))
	s := newScene(func(s *scene) { ending(s.addRole("write", "Orders.Write.All").Assignments[0]) })
	a, refusal := rules.Decide(s.Facts, s.Request, noon)
	if refusal != nil || !slices.Equal(a.Roles(), []string{"Orders.Read.All"}) || a.Lifetime() != 10*time.Minute {
		t.Errorf("got %v for %s, %v", a.Roles(), a.Lifetime(), refusal)
	}
	s.Ask.Roles = []string{"Orders.Read.All", "Orders.Write.All"}
	if _, refusal := rules.Decide(s.Facts, s.Request, noon); number(refusal) != oauth.ErrLifetimeTooLow {
		t.Errorf("asked for by name: got %v, want %d", refusal, oauth.ErrLifetimeTooLow)
	}
}

func TestDecideTellsTheLogAloneWhyTheClientDoesNotWork(t *testing.T) {
	s := newScene(func(s *scene) { s.OnClient = rules.Verdict{Reason: v1alpha1.ReasonSuspended, Message: "secret reason"} })
	_, refusal := rules.Decide(s.Facts, s.Request, noon)
	if refusal.Reason != v1alpha1.ReasonSuspended || refusal.Description() != oauth.ErrIdentity.Text() {
		t.Errorf("got reason %q, description %q", refusal.Reason, refusal.Description())
	}
}

// The lifetime is the least of everything that the token rests on.
func TestDecideLifetime(t *testing.T) {
	tests := map[string]struct {
		change func(*scene)
		want   time.Duration
	}{
		"the client's":                          {func(*scene) {}, 10 * time.Minute},
		"the default where the client has none": {func(s *scene) { s.Client.Spec.AccessTokenLifetime = nil }, 10 * time.Minute},
		"the resource's":                        {func(s *scene) { s.Resource.Spec.AccessTokenLifetime = minutes(5) }, 5 * time.Minute},
		"a resource without one caps nothing":   {func(s *scene) { s.Resource.Spec.AccessTokenLifetime = nil }, 10 * time.Minute},
		"the pin's notAfter":                    {func(s *scene) { s.pin().NotAfter = *at(noon.Add(3 * time.Minute)) }, 3 * time.Minute},
		"the pin's retirement":                  {func(s *scene) { s.pin().RetiresAt = at(noon.Add(2 * time.Minute)) }, 2 * time.Minute},
		"the pin's, also of an unbound token":   {func(s *scene) { unbound(s); s.Peer.Thumbprint = "x"; s.pin().NotAfter = *at(noon.Add(time.Minute)) }, time.Minute},
		"the assertion's":                       {func(s *scene) { s.CredentialEnds = noon.Add(4 * time.Minute) }, 4 * time.Minute},
		"the assignment's":                      {func(s *scene) { until(noon.Add(6 * time.Minute))(s.assignment()) }, 6 * time.Minute},
		"the shortest assignment's":             {func(s *scene) { until(noon.Add(7 * time.Minute))(s.addRole("b", "B").Assignments[0]) }, 7 * time.Minute},
		"an assignment that is not asked for does not count": {
			func(s *scene) {
				until(noon.Add(7 * time.Minute))(s.addRole("b", "B").Assignments[0])
				s.Ask.Roles = []string{"Orders.Read.All"}
			}, 10 * time.Minute,
		},
		"an hour, whatever the objects say": {
			func(s *scene) {
				s.Client.Spec.AccessTokenLifetime, s.Resource.Spec.AccessTokenLifetime = minutes(600), minutes(600)
				s.pin().NotAfter = *at(noon.Add(24 * time.Hour))
			}, time.Hour,
		},
		"whole seconds":   {func(s *scene) { s.CredentialEnds = noon.Add(90*time.Second + 900*time.Millisecond) }, 90 * time.Second},
		"30 s are enough": {func(s *scene) { s.CredentialEnds = noon.Add(30 * time.Second) }, 30 * time.Second},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s := newScene(test.change)
			a, refusal := rules.Decide(s.Facts, s.Request, noon)
			if refusal != nil || a.Lifetime() != test.want {
				t.Errorf("got %s (%v), want %s", a.Lifetime(), refusal, test.want)
			}
		})
	}
}

func TestZeroApprovalIsNotValid(t *testing.T) {
	if (rules.Approval{}).Valid() {
		t.Error("an approval that nobody decided is valid")
	}
}
