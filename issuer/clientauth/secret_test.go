package clientauth_test

import (
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestClientSecret(t *testing.T) {
	post := secretOf("shop/secret", secret)
	post.SecretMethod = oauth.AuthClientSecretPost
	bound := secretOf("shop/secret", secret)
	bound.Peer = rules.Peer{Thumbprint: pinned}
	for name, tc := range map[string]struct {
		presented clientauth.Presented
		at, ends  time.Duration
		reason    string
	}{
		"the newest secret":                      {presented: secretOf("shop/secret", secret), ends: 2 * time.Hour},
		"the one before it":                      {presented: secretOf("shop/secret", older), ends: time.Hour},
		"up to its end":                          {presented: secretOf("shop/secret", older), at: time.Hour - 1, ends: time.Hour},
		"beside a certificate, which binds":      {presented: bound, ends: 2 * time.Hour},
		"a secret that has ended":                {presented: secretOf("shop/secret", older), at: time.Hour, reason: "client_secret"},
		"a wrong secret":                         {presented: secretOf("shop/secret", "wrong"), reason: "client_secret"},
		"no secret, with an Authorization":       {presented: secretOf("shop/secret", ""), reason: "client_secret"},
		"its hash":                               {presented: secretOf("shop/secret", secrets()[0].Hash), reason: "client_secret"},
		"another client's secret":                {presented: secretOf("shop/checkout", secret), reason: "client_secret_method_not_listed"},
		"a client that nobody knows":             {presented: secretOf("shop/nobody", secret), reason: "unknown_client"},
		"a way of sending it that is not listed": {presented: post, reason: "client_secret_method_not_listed"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newWorld(t).authenticator()
			got, refusal := a.Authenticate(t.Context(), tc.presented, now.Add(tc.at), &clientauth.Seen{})
			switch {
			case tc.reason != "":
				if refusal == nil || refusal.Number != oauth.ErrIdentity || refusal.Reason != tc.reason {
					t.Errorf("got %v, want the reason %s", refusal, tc.reason)
				}
			case refusal != nil:
				t.Errorf("refused: %v", refusal)
			case got.Method != oauth.AuthClientSecretBasic || !got.Ends.Equal(now.Add(tc.ends)):
				t.Errorf("authenticated by %s until %s", got.Method, got.Ends)
			}
		})
	}
}
