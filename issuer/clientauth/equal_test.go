package clientauth_test

import (
	"errors"
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Whoever asks must not learn from the clock which clients there are: each refusal
// has verified one signature, of the algorithm that was sent.
func TestRefusesAssertionsOfNobodyAfterOneVerification(t *testing.T) {
	as := func(id string) func(_, c map[string]any) {
		return func(_, c map[string]any) { c["iss"], c["sub"] = id, id }
	}
	for _, alg := range jose.Algorithms() {
		for name, tc := range map[string]struct {
			change func(h, c map[string]any)
			tenant string
			reason string
		}{
			"a wrong signature":             {as("shop/signing"), "", "assertion_signature"},
			"an unknown client":             {as("shop/nobody"), "", "unknown_client"},
			"a suspended client":            {as("shop/suspended"), "", v1alpha1.ReasonSuspended},
			"a client of another tenant":    {as("shop/signing"), "orders", "other_tenant"},
			"a client without the method":   {as("shop/not-signing"), "", "private_key_jwt_not_listed"},
			"a client without certificates": {as("shop/secret"), "", "private_key_jwt_not_listed"},
			"a distrusted pin":              {as("shop/distrusting"), "", "assertion_key_not_pinned"},
			"no such pin":                   {head("x5t#S256", pinned), "", "assertion_key_not_pinned"},
			"a pin of another algorithm": {func(h, _ map[string]any) {
				h["x5t#S256"] = credentials()[map[jose.Algorithm]jose.Algorithm{
					jose.RS256: jose.ES256, jose.PS256: jose.ES256, jose.ES256: jose.EdDSA, jose.ES384: jose.EdDSA, jose.EdDSA: jose.ES256,
				}[alg]].thumbprint
			}, "", "assertion_algorithm"},
		} {
			t.Run(name+", "+string(alg), func(t *testing.T) {
				a := newWorld(t).authenticator()
				verified := 0
				clientauth.CountVerifications(a, func(key jose.Key, err error) {
					verified++
					if !errors.Is(err, jose.ErrSignature) {
						t.Errorf("no signature was verified: %v", err)
					}
				})
				p := bearer(withOtherSignature(t, own(t, alg, tc.change), own(t, alg, nil)))
				p.Tenant = tc.tenant
				refused(t, a, p, oauth.ErrIdentity, tc.reason)
				if verified != 1 {
					t.Errorf("%d signatures were verified", verified)
				}
			})
		}
	}
}
