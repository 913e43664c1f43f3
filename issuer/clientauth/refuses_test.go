package clientauth_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

func TestRefusesTwoMethods(t *testing.T) {
	a := newWorld(t).authenticator()
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"shop/secret","sub":"shop/secret"}`)) + "."
	for name, change := range map[string]func(*clientauth.Presented){
		"a secret beside an assertion": func(p *clientauth.Presented) {
			p.Assertion, p.AssertionType = own(t, jose.ES256, nil), oauth.AssertionTypeJWTBearer
		},
		"an unsigned assertion beside a good secret": func(p *clientauth.Presented) { p.Assertion, p.AssertionType = unsigned, oauth.AssertionTypeJWTBearer },
		"an assertion type beside a good secret":     func(p *clientauth.Presented) { p.AssertionType = oauth.AssertionTypeJWTBearer },
		"a secret in the form beside a header":       func(p *clientauth.Presented) { p.OtherAuthorization = true },
	} {
		t.Run(name, func(t *testing.T) {
			p := secretOf("shop/secret", secret)
			change(&p)
			refused(t, a, p, oauth.ErrTwoMethods, "")
		})
	}
}

func TestRefusesClientIDThatDiffersFromTheAssertions(t *testing.T) {
	a := newWorld(t).authenticator()
	p := bearer(own(t, jose.ES256, nil))
	p.ClientID = "shop/reusing"
	refused(t, a, p, oauth.ErrIdentity, "assertion_of_other_client")
}

func TestRefusesMethodThatTheClientDoesNotList(t *testing.T) {
	a := newWorld(t).authenticator()
	as := func(id string) func(_, c map[string]any) {
		return func(_, c map[string]any) { c["iss"], c["sub"] = id, id }
	}
	refused(t, a, bearer(own(t, jose.ES256, as("shop/not-signing"))), oauth.ErrIdentity, "private_key_jwt_not_listed")
	refused(t, a, bearer(own(t, jose.ES256, as("shop/secret"))), oauth.ErrIdentity, "private_key_jwt_not_listed")
	refused(t, a, clientauth.Presented{ClientID: "shop/signing", Peer: credentials()[jose.ES256].peer}, oauth.ErrIdentity, "certificate_not_pinned_or_method_not_listed")
	refused(t, a, secretOf("shop/checkout", secret), oauth.ErrIdentity, "client_secret_method_not_listed")
	post := secretOf("shop/secret", secret)
	post.SecretMethod = oauth.AuthClientSecretPost
	refused(t, a, post, oauth.ErrIdentity, "client_secret_method_not_listed")
}

func TestRefusesClientThatIsStopped(t *testing.T) {
	w := newWorld(t)
	a := w.authenticator()
	signed := func(id string) clientauth.Presented {
		return bearer(own(t, jose.ES256, func(_, c map[string]any) { c["iss"], c["sub"] = id, id }))
	}
	refused(t, a, signed("shop/suspended"), oauth.ErrIdentity, v1alpha1.ReasonSuspended)
	refused(t, a, secretOf("shop/suspended", secret), oauth.ErrIdentity, v1alpha1.ReasonSuspended)
	accepted(t, a, signed("shop/signing"))
	accepted(t, a, secretOf("shop/secret", secret))
	accepted(t, a, bearer(w.token(nil)))
	for _, name := range []string{"signing", "secret", "checkout"} {
		a.Registry.DeleteClient("shop", name)
	}
	refused(t, a, signed("shop/signing"), oauth.ErrIdentity, "unknown_client")
	refused(t, a, secretOf("shop/secret", secret), oauth.ErrIdentity, "unknown_client")
	refused(t, a, bearer(w.token(nil)), oauth.ErrIdentity, "service_account_of_no_such_client")
}

// The path of Entra's form is a claim like any other.
func TestRefusesClientOfAnotherTenant(t *testing.T) {
	w := newWorld(t)
	a := w.authenticator()
	for name, p := range map[string]clientauth.Presented{
		"a pod's token":   bearer(w.token(nil)),
		"its own":         bearer(own(t, jose.ES256, nil)),
		"a certificate":   {ClientID: "shop/checkout", Peer: rules.Peer{Thumbprint: pinned}},
		"a client secret": secretOf("shop/secret", secret),
	} {
		t.Run(name, func(t *testing.T) {
			p.Tenant = "orders"
			refused(t, a, p, oauth.ErrIdentity, "other_tenant")
			p.Tenant = "shop"
			accepted(t, a, p)
		})
	}
}

// Nothing in what a stranger hears says whether a client exists.
func TestRefusesUnknownClientAndWrongCredentialAlike(t *testing.T) {
	w := newWorld(t)
	a := w.authenticator()
	var texts []string
	for _, p := range []clientauth.Presented{
		secretOf("shop/nobody", "wrong"), secretOf("shop/secret", "wrong"), secretOf("shop/suspended", secret),
		{ClientID: "shop/nobody", Peer: rules.Peer{Thumbprint: imported}},
		{ClientID: "shop/federated", Peer: rules.Peer{Thumbprint: imported}},
		bearer(own(t, jose.ES256, func(_, c map[string]any) { c["iss"], c["sub"] = "shop/nobody", "shop/nobody" })),
		bearer(own(t, jose.ES256, nil) + "AA"),
		bearer(w.token(func(c, _ map[string]any) { c["aud"] = "x" })),
	} {
		_, refusal := a.Authenticate(t.Context(), p, now, &clientauth.Seen{})
		if refusal == nil {
			t.Fatal("accepted")
		}
		texts = append(texts, fmt.Sprint(refusal.Number, refusal.Code(), refusal.Description()))
	}
	if slices.Sort(texts); len(slices.Compact(texts)) != 1 {
		t.Errorf("strangers hear %q", texts)
	}
}

// Errors go to the log: what could be used again must not stand in them.
func TestRefusesWithoutRepeatingWhatWasPresented(t *testing.T) {
	w := newWorld(t)
	a := w.authenticator()
	for _, p := range []clientauth.Presented{
		secretOf("shop/secret", "a-wrong-secret"), bearer(own(t, jose.ES256, nil) + "AA"), bearer("not.a.jwt"), bearer(w.token(nil) + "AA"),
	} {
		_, refusal := a.Authenticate(t.Context(), p, now, &clientauth.Seen{})
		if text := []byte(refusal.Error()); p.Secret != "" && bytes.Contains(text, []byte(p.Secret)) || p.Assertion != "" && bytes.Contains(text, []byte(p.Assertion)) {
			t.Errorf("the log would hold it: %s", text)
		}
	}
}
