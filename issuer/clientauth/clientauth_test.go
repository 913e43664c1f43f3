package clientauth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestAuthenticate(t *testing.T) {
	unbound := func(_, k map[string]any) { delete(k, "pod"); delete(k, "node") }
	batch := func(c, k map[string]any) {
		unbound(c, k)
		c["sub"], k["serviceaccount"] = "system:serviceaccount:shop:batch", map[string]any{"name": "batch", "uid": "sa-uid"}
	}
	type test struct {
		presented clientauth.Presented
		token     func(claims, kubernetes map[string]any)
		world     func(*world)
		client    string
		method    oauth.AuthMethod
		number    oauth.Number
		reason    string
	}
	assertion := clientauth.Presented{Assertion: "token", AssertionType: oauth.AssertionTypeJWTBearer}
	with := func(change func(*clientauth.Presented)) clientauth.Presented { p := assertion; change(&p); return p }
	certificate := func(client, thumbprint string) clientauth.Presented {
		return clientauth.Presented{ClientID: client, Peer: rules.Peer{Thumbprint: thumbprint}}
	}
	for name, tc := range map[string]test{
		"a pod's token authenticates its client":          {presented: assertion, client: "shop/checkout", method: oauth.AuthPrivateKeyJWT},
		"and with client_id, which must agree":            {presented: with(func(p *clientauth.Presented) { p.ClientID = "shop/checkout" }), client: "shop/checkout", method: oauth.AuthPrivateKeyJWT},
		"a clock that is 5 s ahead is accepted":           {presented: assertion, token: func(c, _ map[string]any) { c["iat"], c["nbf"] = now.Unix()+5, now.Unix()+5 }, client: "shop/checkout", method: oauth.AuthPrivateKeyJWT},
		"a pod that drains is accepted":                   {presented: assertion, world: func(w *world) { w.pod.DeletionTimestamp = now.Add(time.Second) }, client: "shop/checkout", method: oauth.AuthPrivateKeyJWT},
		"a token bound to nothing, where that is allowed": {presented: with(func(p *clientauth.Presented) { p.ClientID = "shop/batch-b" }), token: batch, client: "shop/batch-b", method: oauth.AuthPrivateKeyJWT},
		"a pinned certificate authenticates":              {presented: certificate("shop/checkout", pinned), client: "shop/checkout", method: oauth.AuthTLSClient},
		"an imported one by the self-signed method":       {presented: certificate("shop/selfsigned", imported), client: "shop/selfsigned", method: oauth.AuthSelfSignedTLSClient},

		"an unknown client":                      {presented: certificate("shop/nobody", pinned), number: oauth.ErrIdentity, reason: "unknown_client"},
		"a suspended client":                     {presented: certificate("shop/suspended", pinned), number: oauth.ErrIdentity, reason: v1alpha1.ReasonSuspended},
		"a certificate that is pinned to others": {presented: certificate("shop/selfsigned", pinned), number: oauth.ErrIdentity, reason: "certificate_not_pinned_or_method_not_listed"},
		"an imported one by a method not listed": {presented: certificate("shop/checkout", imported), number: oauth.ErrIdentity, reason: "certificate_not_pinned_or_method_not_listed"},
		"a certificate where none is listed":     {presented: certificate("shop/federated", pinned), number: oauth.ErrIdentity, reason: "certificate_not_pinned_or_method_not_listed"},
		"a client_id of another client":          {presented: with(func(p *clientauth.Presented) { p.ClientID = "shop/federated" }), number: oauth.ErrIdentity, reason: "service_account_of_no_such_client"},
		"a token that fits two clients":          {presented: assertion, token: batch, number: oauth.ErrAmbiguousClient},
		"which is told only to a living workload": {presented: assertion, token: func(c, k map[string]any) {
			batch(c, k)
			k["serviceaccount"] = map[string]any{"name": "batch", "uid": "old"}
		}, number: oauth.ErrIdentity, reason: "service_account_gone"},
		"a client whose id is not allowed":         {presented: with(func(p *clientauth.Presented) { p.ClientID = "somebody-elses" }), number: oauth.ErrIdentity, reason: "service_account_of_no_such_client"},
		"a service account of another namespace":   {presented: assertion, token: func(c, k map[string]any) { c["sub"], k["namespace"] = "system:serviceaccount:evil:app", "evil" }, number: oauth.ErrIdentity, reason: "service_account_of_no_such_client"},
		"a subject that disagrees with the claims": {presented: assertion, token: func(c, _ map[string]any) { c["sub"] = "system:serviceaccount:shop:admin" }, number: oauth.ErrIdentity, reason: "assertion_subject_disagrees"},
		"a token of nobody known":                  {presented: assertion, token: func(c, _ map[string]any) { c["iss"] = "https://evil" }, number: oauth.ErrIdentity, reason: "assertion_of_unknown_issuer"},
		"the API server's own audience":            {presented: assertion, token: func(c, _ map[string]any) { c["aud"] = cluster }, number: oauth.ErrIdentity, reason: "assertion_audience"},
		"our audience and another":                 {presented: assertion, token: func(c, _ map[string]any) { c["aud"] = []string{audience, "https://evil"} }, number: oauth.ErrIdentity, reason: "assertion_audience"},
		"an expired token":                         {presented: assertion, token: func(c, _ map[string]any) { c["exp"] = now.Add(-time.Minute).Unix() }, number: oauth.ErrIdentity, reason: "assertion_expired"},
		"a legacy token, which never expires":      {presented: assertion, token: func(c, k map[string]any) { delete(c, "exp"); k["secret"] = map[string]any{"name": "x", "uid": "y"} }, number: oauth.ErrIdentity, reason: "assertion_not_valid"},
		"a token bound to a Secret":                {presented: assertion, token: func(_, k map[string]any) { delete(k, "pod"); k["secret"] = map[string]any{"name": "x", "uid": "y"} }, number: oauth.ErrIdentity, reason: "assertion_bound_to_secret"},
		"a token bound to a node":                  {presented: assertion, token: func(_, k map[string]any) { delete(k, "pod") }, number: oauth.ErrIdentity, reason: "assertion_bound_to_node"},
		"a token bound to nothing":                 {presented: assertion, token: unbound, number: oauth.ErrIdentity, reason: "assertion_bound_to_no_pod"},
		"a pod that was made anew":                 {presented: assertion, token: func(_, k map[string]any) { k["pod"] = map[string]any{"name": "app-0", "uid": "old"} }, number: oauth.ErrIdentity, reason: "pod_gone"},
		"a pod without a UID":                      {presented: assertion, token: func(_, k map[string]any) { k["pod"] = map[string]any{"name": "app-0"} }, number: oauth.ErrIdentity, reason: "assertion_claims"},
		"a service account that was made anew":     {presented: assertion, token: func(_, k map[string]any) { k["serviceaccount"] = map[string]any{"name": "app", "uid": "old"} }, number: oauth.ErrIdentity, reason: "service_account_gone"},
		"a pod that is gone":                       {presented: assertion, world: func(w *world) { w.podGone = true }, number: oauth.ErrIdentity, reason: "pod_gone"},
		"a pod whose grace period is over":         {presented: assertion, world: func(w *world) { w.pod.DeletionTimestamp = now }, number: oauth.ErrIdentity, reason: "pod_deleted"},
		"a pod of another service account":         {presented: assertion, world: func(w *world) { w.pod.ServiceAccount = "other" }, number: oauth.ErrIdentity, reason: "pod_of_other_service_account"},
		"keys that could not be looked up":         {presented: assertion, world: func(w *world) { w.keysErr = errors.New("away") }, number: oauth.ErrCannotLookUp, reason: "service_account_keys"},
		"a service account that could not be":      {presented: assertion, world: func(w *world) { w.accountErr = errors.New("away") }, number: oauth.ErrCannotLookUp, reason: "service_account"},
		"a pod that could not be looked up":        {presented: assertion, world: func(w *world) { w.podErr = errors.New("away") }, number: oauth.ErrCannotLookUp, reason: "pod"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.world != nil {
				tc.world(w)
			}
			if tc.presented.Assertion != "" {
				tc.presented.Assertion = w.token(tc.token)
			}
			a := w.authenticator()
			var seen clientauth.Seen
			got, refusal := a.Authenticate(t.Context(), tc.presented, now, &seen)
			if tc.number == 0 {
				if refusal != nil {
					t.Fatalf("refused: %v", refusal)
				}
				if id := rules.ClientID(got.Object); id != tc.client || got.Method != tc.method {
					t.Errorf("authenticated %s by %s, want %s by %s", id, got.Method, tc.client, tc.method)
				}
				if federated := tc.method == oauth.AuthPrivateKeyJWT; federated != (got.Workload != nil) || federated == got.Ends.IsZero() {
					t.Errorf("workload %v, ends %v", got.Workload, got.Ends)
				}
				if seen.ClientID != tc.client || seen.Workload != got.Workload {
					t.Errorf("seen %+v", seen)
				}
				return
			}
			if refusal == nil {
				t.Fatal("accepted")
			}
			if got.Object != nil {
				t.Error("a refusal came with a client")
			}
			if refusal.Number != tc.number || refusal.Reason != tc.reason {
				t.Errorf("refused with %d %q, want %d %q", refusal.Number, refusal.Reason, tc.number, tc.reason)
			}
			if tc.number == oauth.ErrIdentity && refusal.Description() != oauth.ErrIdentity.Text() {
				t.Errorf("a refusal of identity tells a stranger %q", refusal.Description())
			}
			if tc.presented.Assertion != "" && strings.Contains(refusal.Error(), tc.presented.Assertion) {
				t.Error("the error holds the assertion")
			}
		})
	}
}

// The log says whose token was refused: the caller is told nothing.
func TestARefusedTokenIsSeen(t *testing.T) {
	w := newWorld(t)
	w.podGone = true
	a := w.authenticator()
	var seen clientauth.Seen
	if _, refusal := a.Authenticate(t.Context(), clientauth.Presented{Assertion: w.token(nil), AssertionType: oauth.AssertionTypeJWTBearer}, now, &seen); refusal == nil {
		t.Fatal("accepted")
	}
	if seen.ClientID != "shop/checkout" || seen.Workload == nil || seen.Workload.Pod != "app-0" {
		t.Errorf("seen %+v", seen)
	}
}

// Garbage must be refused before anything is asked of the API server.
func TestGarbageCausesNoLookUp(t *testing.T) {
	w := newWorld(t)
	w.noLookUps = true
	a := w.authenticator()
	for _, garbage := range []string{"x", "a.b.c", strings.Repeat("a", 1<<20), "eyJhbGciOiJub25lIn0.e30."} {
		if _, refusal := a.Authenticate(t.Context(), clientauth.Presented{Assertion: garbage, AssertionType: oauth.AssertionTypeJWTBearer}, now, &clientauth.Seen{}); refusal == nil || refusal.Reason != "assertion_malformed" {
			t.Errorf("got %v", refusal)
		}
	}
}
