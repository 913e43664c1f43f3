package clientauth_test

import (
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestPrivateKeyJWT(t *testing.T) {
	// hint replaces x5t#S256, which assertions name their pin by unless it is said.
	hint := func(h map[string]any, name, value string) {
		delete(h, "x5t#S256")
		h[name] = value
	}
	for name, tc := range map[string]struct {
		change  func(header, claims map[string]any)
		present func(*clientauth.Presented)
	}{
		"by x5t#S256":                                      {},
		"by x5t":                                           {change: func(h, _ map[string]any) { hint(h, "x5t", credentials()[jose.Algorithm(h["alg"].(string))].x5t) }},
		"by kid, as a thumbprint":                          {change: func(h, _ map[string]any) { hint(h, "kid", credentials()[jose.Algorithm(h["alg"].(string))].thumbprint) }},
		"by kid, in hexadecimal":                           {change: func(h, _ map[string]any) { hint(h, "kid", credentials()[jose.Algorithm(h["alg"].(string))].hex) }},
		"without typ":                                      {change: func(h, _ map[string]any) { delete(h, "typ") }},
		"typ of RFC 7523's update":                         {change: func(h, _ map[string]any) { h["typ"] = "client-authentication+jwt" }},
		"for the endpoint that was called":                 {change: func(_, c map[string]any) { c["aud"] = endpoint }},
		"an audience in a list":                            {change: func(_, c map[string]any) { c["aud"] = []string{audience} }},
		"for the issuer, where no endpoint is known":       {present: func(p *clientauth.Presented) { p.Endpoint = "" }},
		"with client_id, which must agree":                 {present: func(p *clientauth.Presented) { p.ClientID = "shop/signing" }},
		"at the endpoint of its tenant":                    {present: func(p *clientauth.Presented) { p.Tenant = "shop" }},
		"ten minutes ahead":                                {change: func(_, c map[string]any) { c["exp"] = now.Add(10 * time.Minute).Unix() }},
		"a clock that is 5 s ahead":                        {change: func(_, c map[string]any) { c["iat"], c["nbf"] = now.Unix()+5, now.Unix()+5 }},
		"a clock that is 5 s behind":                       {change: func(_, c map[string]any) { c["exp"] = now.Unix() - 5 }},
		"without iat and nbf, which RFC 7523 does not ask": {change: func(_, c map[string]any) { delete(c, "iat"); delete(c, "nbf") }},
		"beside a certificate, which binds the token":      {present: func(p *clientauth.Presented) { p.Peer = rules.Peer{Thumbprint: pinned} }},
	} {
		for _, alg := range jose.Algorithms() {
			t.Run(name+", "+string(alg), func(t *testing.T) {
				p := bearer(own(t, alg, tc.change))
				if tc.present != nil {
					tc.present(&p)
				}
				got := accepted(t, newWorld(t).authenticator(), p)
				if rules.ClientID(got.Object) != "shop/signing" || got.Method != oauth.AuthPrivateKeyJWT || got.Workload != nil {
					t.Errorf("authenticated %+v", got)
				}
				// The token outlives neither the pin nor what it stands on.
				if !got.Ends.Equal(now.Add(time.Hour)) || got.Pin != credentials()[alg].thumbprint {
					t.Errorf("ends %s with pin %s", got.Ends, got.Pin)
				}
			})
		}
	}
}

// msal-node keeps one assertion for ten minutes and sends it for each resource.
func TestAnAssertionMayBeUsedAgainWhereTheClientSaysSo(t *testing.T) {
	a := newWorld(t).authenticator()
	for name, change := range map[string]func(_, c map[string]any){
		"with a jti":    func(_, c map[string]any) { c["iss"], c["sub"] = "shop/reusing", "shop/reusing" },
		"without a jti": func(_, c map[string]any) { c["iss"], c["sub"] = "shop/reusing", "shop/reusing"; delete(c, "jti") },
	} {
		t.Run(name, func(t *testing.T) {
			assertion := own(t, jose.ES256, change)
			for range 3 {
				accepted(t, a, bearer(assertion))
			}
		})
	}
}

// An assertion that is refused is not used: what was wrong beside it can be mended.
func TestARefusedAssertionIsNotUsed(t *testing.T) {
	a := newWorld(t).authenticator()
	c := credentials()[jose.ES256]
	p := clientauth.Presented{Assertion: own(t, jose.ES256, nil), AssertionType: oauth.AssertionTypeJWTPoP, Peer: rules.Peer{Thumbprint: pinned}}
	refused(t, a, p, oauth.ErrCertificateNotPinned, "")
	p.Peer = c.peer
	accepted(t, a, p)
	refused(t, a, p, oauth.ErrIdentity, "assertion_replayed")
}

func TestJWTPoP(t *testing.T) {
	w := newWorld(t)
	a := w.authenticator()
	own256 := credentials()[jose.ES256]
	confirm := func(thumbprint any) func(_, c map[string]any) {
		return func(_, c map[string]any) { c["cnf"] = map[string]any{"x5t#S256": thumbprint} }
	}
	federated := w.token
	signed := func(change func(h, c map[string]any)) string { return own(t, jose.ES256, change) }
	checkout, signing := rules.Peer{Thumbprint: pinned}, own256.peer
	for name, tc := range map[string]struct {
		assertion string
		peer      rules.Peer
		number    oauth.Number
		reason    string
	}{
		"a pod's token with the client's certificate": {assertion: federated(nil), peer: checkout},
		"a client's own assertion with a pin of its":  {assertion: signed(nil), peer: signing},
		"an assertion that names the certificate":     {assertion: signed(confirm(own256.thumbprint)), peer: signing},
		"a pod's token that names the certificate":    {assertion: federated(func(c, _ map[string]any) { confirm(pinned)(nil, c) }), peer: checkout},
		"no certificate":                               {assertion: signed(nil), number: oauth.ErrAssertionNeedsCertificate},
		"a certificate that is pinned to others":       {assertion: signed(nil), peer: checkout, number: oauth.ErrCertificateNotPinned},
		"a pod's token with a certificate of others":   {assertion: federated(nil), peer: signing, number: oauth.ErrCertificateNotPinned},
		"an assertion that names another certificate":  {assertion: signed(confirm(pinned)), peer: signing, number: oauth.ErrAssertionOtherCertificate},
		"a pod's token that names another certificate": {assertion: federated(func(c, _ map[string]any) { confirm(imported)(nil, c) }), peer: checkout, number: oauth.ErrAssertionOtherCertificate},
		"an assertion whose cnf cannot be read":        {assertion: signed(confirm(1)), peer: signing, number: oauth.ErrIdentity, reason: "assertion_claims"},
		"a forged one is not told what is wrong with cnf": {assertion: signed(func(h, c map[string]any) {
			confirm(pinned)(h, c)
			c["iss"], c["sub"] = "shop/distrusting", "shop/distrusting"
		}), peer: signing, number: oauth.ErrIdentity, reason: "assertion_key_not_pinned"},
		"no certificate, and nobody known": {assertion: "x", number: oauth.ErrAssertionNeedsCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			p := clientauth.Presented{Assertion: tc.assertion, AssertionType: oauth.AssertionTypeJWTPoP, Peer: tc.peer}
			if tc.number == 0 {
				accepted(t, a, p)
				return
			}
			refused(t, a, p, tc.number, tc.reason)
		})
	}
}
