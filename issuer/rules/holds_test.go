package rules_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// issuedAt noon by scene, with a pod.
func issuedFor(t *testing.T, s *scene) rules.Issued {
	t.Helper()
	s.Workload = &rules.Workload{Namespace: "shop", ServiceAccount: "checkout", ServiceAccountUID: "s", Pod: "p", PodUID: "u"}
	s.Client.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "checkout"}}
	a, refusal := rules.Decide(s.Facts, s.Request, noon)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return rules.Issued{
		ClientID: a.ClientID(), Tenant: a.Tenant(), Audience: a.Audience(), Roles: a.Roles(),
		Thumbprint: a.Thumbprint(), JKT: a.JKT(), Evidence: a.Evidence(), Workload: a.Workload(), IssuedAt: a.IssuedAt(),
	}
}

// Holds finds nothing gone of what was decided a moment ago, and everything that went
// since.
func TestHolds(t *testing.T) {
	signedBy := func(thumbprint string) func(*scene) {
		return func(s *scene) { s.Method, s.Pin = oauth.AuthPrivateKeyJWT, thumbprint }
	}
	bySecret := func(s *scene) {
		const hash = "sha256:Il9-dTKd1FqjVJddc5hzGTCTk686TGczvBNgGk8bh5Y"
		s.Method, s.Secret = oauth.AuthClientSecretBasic, rules.SecretID(hash)
		s.Client.Spec.Authentication.ClientSecret = &v1alpha1.ClientSecretCredential{}
		s.Client.Status.ClientSecrets = []v1alpha1.ClientSecretStatus{{Hash: hash, ExpiresAt: *at(noon.Add(time.Hour))}}
	}
	distrust := func(s *scene) { s.Certificates[0].Spec.Distrust = []v1alpha1.Thumbprint{"x"} }
	anyToken := func(s *scene) { s.Client.Spec.Authentication.ServiceAccounts[0].BoundTo = v1alpha1.BoundToAny }
	ofNoPod := func(i *rules.Issued) { i.Workload = &rules.Workload{Namespace: "shop", ServiceAccount: "checkout"} }
	for sentence, test := range map[string]struct {
		issue  func(*scene)
		change func(*scene)
		token  func(*rules.Issued)
		want   string // what is gone
	}{
		"nothing changed":                    {},
		"nothing changed, unbound":           {issue: unbound},
		"nothing changed, by DPoP":           {issue: dpop},
		"nothing changed, signed by a pin":   {issue: func(s *scene) { dpop(s); signedBy("x")(s) }},
		"the client is gone":                 {change: func(s *scene) { s.Client = nil }, want: "client"},
		"the client is suspended":            {change: func(s *scene) { s.OnClient = rules.Verdict{Reason: v1alpha1.ReasonSuspended} }, want: "client"},
		"the client was made anew":           {change: func(s *scene) { s.Client.CreationTimestamp = *at(noon.Add(6 * time.Second)) }, want: "client_of_the_token"},
		"its clock is 5 s ahead":             {change: func(s *scene) { s.Client.CreationTimestamp = *at(noon.Add(5 * time.Second)) }},
		"another namespace's has its id now": {token: func(i *rules.Issued) { i.Tenant = "other" }, want: "client_of_the_token"},
		"the service account is not listed":  {change: func(s *scene) { s.Client.Spec.Authentication.ServiceAccounts = nil }, want: "service_account"},
		"the token was bound to no pod":      {token: ofNoPod, want: "service_account"},
		"tokens of no pod are accepted":      {change: anyToken, token: ofNoPod},
		"only injected pods are accepted": {change: func(s *scene) {
			anyToken(s)
			s.Client.Spec.Authentication.ServiceAccounts[0].Admission = v1alpha1.AdmissionRequired
		}, token: ofNoPod, want: "service_account"},
		"the pin is gone":                      {change: func(s *scene) { s.Certificates = nil }, want: "pin"},
		"the pin has retired":                  {change: func(s *scene) { s.pin().RetiresAt = at(noon) }, want: "pin"},
		"the pin is distrusted":                {change: distrust, want: "pin"},
		"the pin that signed is distrusted":    {issue: func(s *scene) { dpop(s); signedBy("x")(s) }, change: distrust, want: "pin"},
		"the pin of an unbound client is gone": {issue: func(s *scene) { unbound(s); s.Peer.Thumbprint = "x" }, change: distrust, want: "pin"},
		"the resource is gone":                 {change: func(s *scene) { s.Resource = nil }, want: "resource"},
		"the resource is suspended":            {change: func(s *scene) { s.OnResource = rules.Verdict{Reason: v1alpha1.ReasonSuspended} }, want: "resource"},
		"the resource takes bound tokens only": {issue: unbound, change: func(s *scene) { s.Resource.Spec.TokenBindingPolicy = v1alpha1.TokenBindingRequired }, want: "binding"},
		"the role is gone":                     {change: func(s *scene) { s.Roles[0].Role = nil }, want: "assignment"},
		"the client does not ask for the role": {change: func(s *scene) { s.Roles = nil }, want: "assignment"},
		"the assignment is gone":               {change: func(s *scene) { s.Roles[0].Assignments = nil }, want: "assignment"},
		"the role is denied":                   {change: func(s *scene) { s.Roles[0].Assignments[0].Spec.Decision = v1alpha1.DecisionDenied }, want: "assignment"},
		"the approval has expired":             {change: func(s *scene) { s.Roles[0].Assignments[0].Spec.ExpiresAt = at(noon) }, want: "assignment"},
		"a token without roles":                {token: func(i *rules.Issued) { i.Roles = nil }, want: "assignment"},
		"a token without roles, where it may":  {token: func(i *rules.Issued) { i.Roles = nil }, change: func(s *scene) { s.Resource.Spec.Assignment = v1alpha1.AssignmentOptional }},
		"one of two roles is gone":             {issue: func(s *scene) { s.addRole("write", "Orders.Write.All") }, change: func(s *scene) { s.Roles = s.Roles[:1] }, want: "assignment"},
		"a role of the same value elsewhere":   {change: func(s *scene) { s.Roles[0].Role.Spec.ResourceRef.Name = "other" }, want: "assignment"},
		"a role more does not matter":          {change: func(s *scene) { s.addRole("write", "Orders.Write.All") }},
		"a second live pin takes nothing away": {change: func(s *scene) {
			s.Certificates = read(pinned("x"), pinned("y", func(cc *v1alpha1.ClientCertificate) { cc.Name = "b" }))
		}},
		"the secret lives":                      {issue: bySecret},
		"the secret has expired":                {issue: bySecret, change: func(s *scene) { s.Client.Status.ClientSecrets[0].ExpiresAt = *at(noon) }, want: "secret"},
		"the secret was followed by two":        {issue: bySecret, change: func(s *scene) { s.Client.Status.ClientSecrets[0].Hash = "sha256:other" }, want: "secret"},
		"clientSecret is not listed any more":   {issue: bySecret, change: func(s *scene) { s.Client.Spec.Authentication.ClientSecret = nil }, want: "secret"},
		"another certificate's rule is no pin":  {token: func(i *rules.Issued) { i.Evidence.Rule = &rules.Rule{Name: "checkout"} }, want: "pin"},
		"a certificate that is not its own pin": {token: func(i *rules.Issued) { i.Thumbprint = "y" }, want: "pin"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := newScene()
			if test.issue != nil {
				test.issue(s)
			}
			token := issuedFor(t, s)
			if test.change != nil {
				test.change(s)
			}
			if test.token != nil {
				test.token(&token)
			}
			gone, ok := rules.Holds(s.Facts, token, noon)
			if gone != test.want || ok != (test.want == "") {
				t.Errorf("got %q %t, want %q", gone, ok, test.want)
			}
		})
	}
}

func TestHoldsWithTheRuleThatMatched(t *testing.T) {
	ca, other := newAuthority(t, "ca", nil), newAuthority(t, "ca", nil)
	peer := rules.PeerOf([]*x509.Certificate{issue(t, leaf(), newKey(t), ca)})
	rule := v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "checkout.shop"}
	s := newScene(func(s *scene) { s.Certificates, s.Peer = read(matching(rule)), peer })
	free := newScene(func(s *scene) { s.Certificates, s.Peer = read(matching(rule)), peer; unbound(s); s.Peer = peer })
	token, notBound := issuedFor(t, s), issuedFor(t, free)
	for sentence, test := range map[string]struct {
		certificates []*v1alpha1.ClientCertificate
		want         bool
	}{
		"the rule stands":              {[]*v1alpha1.ClientCertificate{pinned("y", func(cc *v1alpha1.ClientCertificate) { cc.Name = "b" }), matching(rule)}, true},
		"the rule is gone":             {nil, false},
		"the rule has another CA":      {[]*v1alpha1.ClientCertificate{matching(v1alpha1.SubjectSource{CABundle: other.pem(), DNS: "checkout.shop"})}, false},
		"the rule has another name":    {[]*v1alpha1.ClientCertificate{matching(v1alpha1.SubjectSource{CABundle: ca.pem(), DNS: "other.shop"})}, false},
		"the rule was made anew":       {[]*v1alpha1.ClientCertificate{matching(rule, func(cc *v1alpha1.ClientCertificate) { cc.UID = "new" })}, false},
		"the rule is another client's": {[]*v1alpha1.ClientCertificate{matching(rule, func(cc *v1alpha1.ClientCertificate) { cc.Spec.ClientRef.Name = "other" })}, false},
		"the leaf is distrusted": {[]*v1alpha1.ClientCertificate{matching(rule, func(cc *v1alpha1.ClientCertificate) {
			cc.Spec.Distrust = []v1alpha1.Thumbprint{v1alpha1.Thumbprint(peer.Thumbprint)}
		})}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			s.Certificates = read(test.certificates...)
			if gone, ok := rules.Holds(s.Facts, token, noon); ok != test.want {
				t.Errorf("got %t (%s), want %t", ok, gone, test.want)
			}
			free.Certificates = s.Certificates
			if gone, ok := rules.Holds(free.Facts, notBound, noon); ok != test.want {
				t.Errorf("a token that is bound to nothing: got %t (%s), want %t", ok, gone, test.want)
			}
		})
	}
}
