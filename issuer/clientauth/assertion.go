package clientauth

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// assertion chooses the method by the exact iss that the assertion claims: the
// cluster's, or else the client's own. The claim only chooses the key; it is verified
// with it.
func (a *Authenticator) assertion(ctx context.Context, p Presented, now time.Time, seen *Seen) (Client, *oauth.Error) {
	digest := digestOf(p.Assertion)
	if t, ok := a.tokens.get(digest); ok && a.stillVerified(ctx, t, now) {
		return a.federated(ctx, p, t, now, seen)
	}
	u, err := jose.ParseUnverified(p.Assertion)
	if err != nil {
		return Client{}, refuse("assertion_malformed", err)
	}
	if !slices.Contains(a.Cluster.Issuers(), u.Claims.Issuer) {
		return a.privateKeyJWT(p, u, now, seen)
	}
	t, refusal := a.serviceAccountToken(ctx, u, now)
	if refusal != nil {
		return Client{}, refusal
	}
	a.tokens.put(digest, t)
	return a.federated(ctx, p, t, now, seen)
}
