package clientauth_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// A token that was verified before is judged like one that was not.
func TestRefusesTokenThatWasGoodBefore(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world, *clientauth.Authenticator)
		at     time.Duration
		number oauth.Number
		reason string
	}{
		"the cluster dropped the key": {change: func(w *world, _ *clientauth.Authenticator) { w.keys = jose.Keys{} }, reason: "assertion_unknown_key"},
		"another key has its kid":     {change: func(w *world, _ *clientauth.Authenticator) { w.keys["k1"] = newSigner(w.t).Key() }, reason: "assertion_signature"},
		"the key is for something else now": {change: func(w *world, _ *clientauth.Authenticator) {
			w.keys["k1"] = jose.Key{Kid: "k1", Algorithms: []jose.Algorithm{jose.ES384}, Public: w.keys["k1"].Public}
		}, reason: "assertion_algorithm"},
		"the cluster dropped the issuer": {change: func(w *world, _ *clientauth.Authenticator) { w.issuers = nil }, reason: "assertion_of_unknown_issuer"},
		"the keys cannot be looked up":   {change: func(w *world, _ *clientauth.Authenticator) { w.keysErr = errors.New("away") }, number: oauth.ErrCannotLookUp, reason: "service_account_keys"},
		"it has expired":                 {at: time.Hour + 30*time.Second, reason: "assertion_expired"},
		"the clock was set back":         {at: -31 * time.Second, reason: "assertion_not_yet_valid"},
		"the pod is gone":                {change: func(w *world, _ *clientauth.Authenticator) { w.podGone = true }, reason: "pod_gone"},
		"the pod's grace period is over": {change: func(w *world, _ *clientauth.Authenticator) { w.pod.DeletionTimestamp = now }, reason: "pod_deleted"},
		"the client is gone":             {change: func(_ *world, a *clientauth.Authenticator) { a.Registry.DeleteClient("shop", "checkout") }, reason: "service_account_of_no_such_client"},
		"the client is suspended": {change: func(_ *world, a *clientauth.Authenticator) {
			c, _ := a.Registry.ClientByID("shop/checkout")
			c = c.DeepCopy()
			c.Spec.Suspend = true
			a.Registry.ApplyClient(c)
		}, reason: v1alpha1.ReasonSuspended},
		"the client lists another account": {change: func(_ *world, a *clientauth.Authenticator) {
			c, _ := a.Registry.ClientByID("shop/checkout")
			c = c.DeepCopy()
			c.Spec.Authentication.ServiceAccounts[0].Name = "other"
			a.Registry.ApplyClient(c)
		}, reason: "service_account_of_no_such_client"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.authenticator()
			p := bearer(w.token(nil))
			for range 2 {
				accepted(t, a, p)
			}
			if tc.change != nil {
				tc.change(w, a)
			}
			_, refusal := a.Authenticate(t.Context(), p, now.Add(tc.at), &clientauth.Seen{})
			want := tc.number
			if want == 0 {
				want = oauth.ErrIdentity
			}
			if refusal == nil || refusal.Number != want || refusal.Reason != tc.reason {
				t.Errorf("got %v, want %d %q", refusal, want, tc.reason)
			}
		})
	}
}

// A token that was seen before says the same as at first, and one that differs in
// its last letter is another.
func TestATokenSeenBeforeSaysTheSame(t *testing.T) {
	w := newWorld(t)
	a := w.authenticator()
	token := w.token(nil)
	first := accepted(t, a, bearer(token))
	again := accepted(t, a, bearer(token))
	if *first.Workload != *again.Workload || !first.Ends.Equal(again.Ends) || first.Object != again.Object || first.Method != again.Method {
		t.Errorf("first %+v, then %+v", first, again)
	}
	refused(t, a, bearer(token[:len(token)-4]+"AAAA"), oauth.ErrIdentity, "assertion_signature")
	refused(t, a, bearer(token+"A"), oauth.ErrIdentity, "assertion_signature")
	// Another type of assertion asks for more, whatever was seen before.
	pop := bearer(token)
	pop.AssertionType = oauth.AssertionTypeJWTPoP
	refused(t, a, pop, oauth.ErrAssertionNeedsCertificate, "")
}

// Many pods at once, whose tokens push each other out.
func TestTokensOfManyPodsAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.authenticator()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 50 {
				p := bearer(w.token(func(c, _ map[string]any) { c["jti"] = fmt.Sprint(worker, "/", i) }))
				for range 2 {
					if _, refusal := a.Authenticate(t.Context(), p, now, &clientauth.Seen{}); refusal != nil {
						t.Error(refusal)
					}
				}
			}
		})
	}
	group.Wait()
}
