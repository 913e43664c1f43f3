package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

const inactive = `{"active":false}` + "\n"

func TestIntrospects(t *testing.T) {
	var got []tokenservice.IntrospectionRequest
	answer := tokenservice.Introspection{
		Active: true, ClientID: "shop/checkout", Subject: "shop/checkout", Audience: identifier, Issuer: "https://i", Scope: "a b",
		TokenID: "id", Tenant: "shop", TokenType: oauth.TokenBearer, Roles: []string{"A", "<B>"}, X5TS256: "t",
		IssuedAt: noon, NotBefore: noon, Expiry: noon.Add(time.Minute),
	}
	s := start(t, func(_ string, _ func() time.Time, c *httpapi.Config) {
		c.Service = fakeEndpoints{fakeService: unexpected(t), introspect: func(r tokenservice.IntrospectionRequest, _ *tokenservice.Event) (tokenservice.Introspection, *oauth.Error) {
			r.Admit = nil
			got = append(got, r)
			return answer, nil
		}}
	}, httpapi.ServerConfig{})
	ask := func(body string) reply {
		return send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/introspect", body, nil))
	}
	r := ask("token=" + strings.Repeat("a", 16<<10) + "&token_type_hint=refresh_token&client_id=shop%2Fcheckout")
	want := []tokenservice.IntrospectionRequest{{
		Token:     strings.Repeat("a", 16<<10),
		Presented: clientauth.Presented{ClientID: "shop/checkout", Endpoint: s.url + "/oauth2/introspect"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	wantBody := `{"active":true,"iss":"https://i","sub":"shop/checkout","aud":"api://orders","client_id":"shop/checkout","tid":"shop","scope":"a b",` +
		`"roles":["A","\u003cB\u003e"],"token_type":"Bearer","jti":"id","iat":1772366400,"nbf":1772366400,"exp":1772366460,"cnf":{"x5t#S256":"t"}}` + "\n"
	if r.status != http.StatusOK || r.raw != wantBody {
		t.Errorf("got %d %s; want 200 %s", r.status, r.raw, wantBody)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json"} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	answer = tokenservice.Introspection{Active: true, TokenType: oauth.TokenDPoP, JKT: "k", IssuedAt: noon, NotBefore: noon, Expiry: noon}
	if r := ask("token=a"); !strings.Contains(r.raw, `"token_type":"DPoP"`) || !strings.HasSuffix(r.raw, `,"cnf":{"jkt":"k"}}`+"\n") {
		t.Errorf("got %s", r.raw)
	}
	answer = tokenservice.Introspection{ClientID: "x", TokenID: "x", Roles: []string{"x"}, X5TS256: "x"}
	if r := ask("token=a"); r.raw != inactive {
		t.Errorf("of a token that is not active got %s; want %s", r.raw, inactive)
	}
}

// The story at the socket: a token is active until its client is suspended, it is
// revoked, or its certificate is gone; and strangers learn nothing.
func TestIntrospectsAndRevokesAtOnce(t *testing.T) {
	h := newHouse(t)
	token := func() string { return h.token(t, mtlsForm("shop/checkout"), checkoutCert()).AccessToken }
	introspect := func(token string) reply {
		return h.post(t, "/oauth2/introspect", changed(mtlsForm("shop/checkout"), "token", token), nil, checkoutCert())
	}
	revoke := func(token string) reply {
		return h.post(t, "/oauth2/revoke", changed(mtlsForm("shop/checkout"), "token", token), nil, checkoutCert())
	}
	first, second := token(), token()
	if r := introspect(first); !strings.Contains(r.raw, `"active":true`) || !strings.Contains(r.raw, `"cnf":{"x5t#S256":"`+thumbprintOf(checkoutCert())+`"}`) {
		t.Fatalf("got %d %s", r.status, r.raw)
	}
	for _, none := range []string{"x", first + "x", first[:len(first)-2], sign(h.claims())} {
		if r := introspect(none); r.status != http.StatusOK || r.raw != inactive {
			t.Errorf("of what is no token of ours got %d %s", r.status, r.raw)
		}
		if r := revoke(none); r.status != http.StatusOK || r.raw != "" {
			t.Errorf("the revocation of what is no token of ours got %d %s", r.status, r.raw)
		}
	}
	if r := introspect(""); r.number() != oauth.ErrMissingParameter {
		t.Errorf("without a token got %d %s", r.status, r.raw)
	}
	billing := changed(mtlsForm("shop/billing"), "token", first)
	if r := h.post(t, "/oauth2/introspect", billing, nil, billingCert()); r.status != http.StatusOK || r.raw != inactive {
		t.Errorf("another client learns %d %s", r.status, r.raw)
	}
	if r := h.post(t, "/oauth2/revoke", billing, nil, billingCert()); r.status != http.StatusBadRequest || r.number() != oauth.ErrNotOwnToken {
		t.Errorf("another client revokes: got %d %s; want %d", r.status, r.raw, oauth.ErrNotOwnToken)
	}
	for range 2 { // once more is no error
		if r := revoke(first); r.status != http.StatusOK || r.raw != "" || r.header.Get("Content-Length") != "0" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %d %q %v; want 200 and nothing", r.status, r.raw, r.header)
		}
		if r := introspect(first); r.raw != inactive {
			t.Errorf("of a revoked token got %s", r.raw)
		}
	}
	if r := introspect(second); !strings.Contains(r.raw, `"active":true`) {
		t.Errorf("another token ended, too: %s", r.raw)
	}
	h.registry.DeleteAssignment("orders", "checkout")
	if r := introspect(second); r.raw != inactive {
		t.Errorf("of a token whose assignment is gone got %s", r.raw)
	}
	log := h.log.String()
	for _, want := range []string{`"msg":"introspection request"`, `"msg":"revocation request"`, `"inactive":"revoked"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, secret := range []string{first, second, strings.Split(first, ".")[2]} {
		if strings.Contains(log, secret) {
			t.Error("a token is in the log")
		}
	}
	h.registry.ApplyClient(oauthClient("checkout", func(c *v1alpha1.OAuthClient) { c.Spec.Suspend = true }))
	if r := introspect(second); r.number() != oauth.ErrIdentity {
		t.Errorf("a suspended client got %d %s", r.status, r.raw)
	}
}

func TestAnswersDPoPNonce(t *testing.T) {
	s := withService(t, func(r tokenservice.Request, _ *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		if r.Scope == "good" {
			return tokenservice.Answer{AccessToken: "x"}, nil
		}
		return tokenservice.Answer{}, oauth.NewError(oauth.ErrDPoPNonce, "")
	})
	for name, c := range map[string]struct {
		body, want string
		header     http.Header
		status     int
	}{
		"on an answer":       {"scope=good", "a-nonce", http.Header{"Dpop": {"x"}}, http.StatusOK},
		"on a refusal":       {"", "a-nonce", http.Header{"Dpop": {"x"}}, http.StatusBadRequest},
		"not without proofs": {"scope=good", "", nil, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			r := send(t, client(t), request(t, http.MethodPost, s.url+"/oauth2/token", c.body, c.header))
			if got := r.header.Get("DPoP-Nonce"); got != c.want || r.status != c.status {
				t.Errorf("got %d with DPoP-Nonce %q; want %d with %q", r.status, got, c.status, c.want)
			}
			if c.status == http.StatusBadRequest && r.Error != "use_dpop_nonce" {
				t.Errorf("error = %q", r.Error)
			}
		})
	}
}

func TestChallengesWithBasicWhereSecretsAreServed(t *testing.T) {
	h := newHouse(t, func(c *httpapi.Config) { c.Secrets = true })
	for _, header := range []http.Header{nil, basic("shop%2Fcheckout:wrong")} {
		r := h.post(t, "/oauth2/token", mtlsForm("shop/checkout"), header)
		if got := r.header.Get("WWW-Authenticate"); r.status != http.StatusUnauthorized || !strings.HasPrefix(got, `Basic realm="lanyard"`) || !strings.Contains(got, "private_key_jwt") {
			t.Errorf("got %d with WWW-Authenticate %q", r.status, got)
		}
	}
}
