package clientauth_test

import (
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Whatever a stranger sends, nobody is let in but by a text that was signed; the
// answer is the one for all strangers; and nothing crashes.
func FuzzAuthenticate(f *testing.F) {
	w := newWorld(f)
	signed := map[string]bool{}
	add := func(assertion string) {
		signed[assertion[:strings.LastIndexByte(assertion, '.')]] = true
		f.Add(assertion, false)
		f.Add(assertion, true)
	}
	add(w.token(nil))
	for _, alg := range jose.Algorithms() {
		add(own(f, alg, nil))
	}
	good := own(f, jose.ES256, nil)
	for _, garbage := range []string{
		"", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiJ9.e30.AA", good[:len(good)-3], good + "AA", strings.Replace(good, ".", "..", 1),
	} {
		f.Add(garbage, false)
	}
	f.Fuzz(func(t *testing.T, assertion string, pop bool) {
		a := w.authenticator()
		p := clientauth.Presented{Assertion: assertion, AssertionType: oauth.AssertionTypeJWTBearer, Endpoint: endpoint}
		if pop {
			p.AssertionType, p.Peer = oauth.AssertionTypeJWTPoP, rules.Peer{Thumbprint: pinned}
		}
		for range 2 { // the second time from memory
			got, refusal := a.Authenticate(t.Context(), p, now, &clientauth.Seen{})
			switch {
			case refusal == nil:
				if i := strings.LastIndexByte(assertion, '.'); i < 0 || !signed[assertion[:i]] {
					t.Fatalf("authenticated %s by %q", rules.ClientID(got.Object), assertion)
				}
			case got.Object != nil:
				t.Fatal("a refusal came with a client")
			case refusal.Number == oauth.ErrIdentity && refusal.Description() != oauth.ErrIdentity.Text():
				t.Fatalf("a stranger hears %q", refusal.Description())
			case refusal.Number != oauth.ErrIdentity && refusal.Number != oauth.ErrMissingParameter && refusal.Number != oauth.ErrCertificateNotPinned:
				t.Fatalf("refused with %v", refusal)
			}
		}
	})
}
