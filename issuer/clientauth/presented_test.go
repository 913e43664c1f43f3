package clientauth_test

import (
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// What is wrong with the form of a request is told to everybody: it says nothing
// about who exists, and nothing is looked up for it.
func TestForm(t *testing.T) {
	type change = func(*clientauth.Presented)
	assertion := func(p *clientauth.Presented) { p.Assertion, p.AssertionType = "a.b.c", oauth.AssertionTypeJWTBearer }
	secret := func(p *clientauth.Presented) { p.Secret, p.SecretMethod = "s", oauth.AuthClientSecretBasic }
	other := func(p *clientauth.Presented) { p.OtherAuthorization = true }
	certificate := func(p *clientauth.Presented) { p.Peer = rules.Peer{Thumbprint: pinned} }
	oracle := func(p *clientauth.Presented) { p.GrantType = oauth.GrantTLSClientAuth }
	anonymous := func(p *clientauth.Presented) { p.ClientID = "" }
	assertionType := func(t string) change { return func(p *clientauth.Presented) { p.AssertionType = t } }
	onlyAssertion := func(p *clientauth.Presented) { p.Assertion = "a.b.c" }

	for name, tc := range map[string]struct {
		sent       []change
		off        bool // the installation does not serve secrets
		want       oauth.Number
		wellFormed bool
	}{
		"nothing":                                       {want: oauth.ErrNoMethod},
		"an assertion":                                  {sent: []change{assertion}, wellFormed: true},
		"an assertion and a certificate":                {sent: []change{assertion, certificate}, wellFormed: true},
		"an assertion without its type":                 {sent: []change{onlyAssertion}, want: oauth.ErrMissingParameter},
		"an assertion type without an assertion":        {sent: []change{assertionType(oauth.AssertionTypeJWTBearer)}, want: oauth.ErrMissingParameter},
		"an assertion of another type":                  {sent: []change{assertion, assertionType("urn:x")}, want: oauth.ErrAssertionType},
		"jwt-pop with a certificate":                    {sent: []change{assertion, assertionType(oauth.AssertionTypeJWTPoP), certificate}, wellFormed: true},
		"jwt-pop without one":                           {sent: []change{assertion, assertionType(oauth.AssertionTypeJWTPoP)}, want: oauth.ErrAssertionNeedsCertificate},
		"an assertion and a secret":                     {sent: []change{assertion, secret}, want: oauth.ErrTwoMethods},
		"and a certificate":                             {sent: []change{assertion, secret, certificate}, want: oauth.ErrTwoMethods},
		"an assertion and an unreadable header":         {sent: []change{assertion, other}, want: oauth.ErrTwoMethods},
		"a certificate":                                 {sent: []change{certificate}, wellFormed: true},
		"a certificate without client_id":               {sent: []change{certificate, anonymous}, want: oauth.ErrMissingParameter},
		"a certificate and an unreadable header":        {sent: []change{certificate, other}, want: oauth.ErrTwoMethods},
		"an unreadable header":                          {sent: []change{other}, want: oauth.ErrNoMethod},
		"a secret":                                      {sent: []change{secret}, wellFormed: true},
		"a secret without client_id":                    {sent: []change{secret, anonymous}, want: oauth.ErrMissingParameter},
		"a secret and an unreadable header":             {sent: []change{secret, other}, want: oauth.ErrTwoMethods},
		"a secret and a certificate":                    {sent: []change{secret, certificate}, wellFormed: true},
		"a secret where none is served":                 {sent: []change{secret}, off: true, want: oauth.ErrNoMethod},
		"a secret and a certificate there":              {sent: []change{secret, certificate}, off: true, want: oauth.ErrTwoMethods},
		"Oracle's grant":                                {sent: []change{oracle, certificate}, wellFormed: true},
		"Oracle's grant and a secret":                   {sent: []change{oracle, certificate, secret}, want: oauth.ErrSecretBesideCertificate},
		"also where none is served":                     {sent: []change{oracle, certificate, secret}, off: true, want: oauth.ErrSecretBesideCertificate},
		"Oracle's grant and an assertion":               {sent: []change{oracle, certificate, assertion}, want: oauth.ErrGrantNeedsCertificate},
		"Oracle's grant with a secret alone":            {sent: []change{oracle, secret}, want: oauth.ErrGrantNeedsCertificate},
		"Oracle's grant with nothing":                   {sent: []change{oracle}, want: oauth.ErrGrantNeedsCertificate},
		"Oracle's grant and an unreadable header":       {sent: []change{oracle, certificate, other}, want: oauth.ErrSecretBesideCertificate},
		"Oracle's grant, an assertion and a secret too": {sent: []change{oracle, certificate, assertion, secret}, want: oauth.ErrTwoMethods},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.noLookUps = true
			a := w.authenticator()
			a.Secrets = !tc.off
			p := clientauth.Presented{ClientID: "shop/nobody"}
			for _, c := range tc.sent {
				c(&p)
			}
			_, refusal := a.Authenticate(t.Context(), p, now, &clientauth.Seen{})
			want := tc.want
			if tc.wellFormed {
				want = oauth.ErrIdentity // nobody knows who it is
			}
			if refusal == nil || refusal.Number != want {
				t.Errorf("got %v, want %d", refusal, want)
			}
		})
	}
}
