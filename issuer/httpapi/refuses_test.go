package httpapi_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// The lines of the threat model that can be shown at the issuer's socket: "what
// must be refused". Each test first shows that the honest request works.

func honest(t *testing.T, h *house) {
	t.Helper()
	if r := h.token(t, federatedForm(sign(h.claims())), checkoutCert()); r.status != http.StatusOK {
		t.Fatalf("the honest request got %d %s", r.status, r.raw)
	}
	if r := h.token(t, mtlsForm("shop/checkout"), checkoutCert()); r.status != http.StatusOK {
		t.Fatalf("the honest request over mutual TLS got %d %s", r.status, r.raw)
	}
}

// wantIdentity checks the one answer to every refusal of identity, and that the
// log, only, says why.
func wantIdentity(t *testing.T, h *house, r reply, reason string) {
	t.Helper()
	if r.status != http.StatusUnauthorized || r.Error != "invalid_client" || r.number() != oauth.ErrIdentity {
		t.Fatalf("got %d %s; want 401 invalid_client %d", r.status, r.raw, oauth.ErrIdentity)
	}
	if r.ErrorDescription != oauth.ErrIdentity.Text() {
		t.Errorf("error_description = %q tells a stranger what was wrong", r.ErrorDescription)
	}
	e := h.lastEvent(t)
	if e["trace_id"] != r.TraceID || e["reason"] != reason {
		t.Errorf("logged reason = %v under trace_id %v; want %s under %s", e["reason"], e["trace_id"], reason, r.TraceID)
	}
}

// reheader changes the header of a token without signing it again.
func reheader(t *testing.T, token string, edit func(map[string]any)) string {
	t.Helper()
	parts := strings.Split(token, ".")
	var header map[string]any
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[0])), &header); err != nil {
		t.Fatal(err)
	}
	edit(header)
	parts[0] = base64.RawURLEncoding.EncodeToString(must(json.Marshal(header)))
	return strings.Join(parts, ".")
}

func publicPEM(k crypto.PublicKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(k))})
}

// rawClaims signs JSON as it is, which may be what no encoder writes.
func rawClaims(payload string) string {
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"` + clusterKid + `"}`))
	text := head + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sig := must(jwt.SigningMethodRS256.Sign(text, clusterKey()))
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestRefusesForgedAssertion(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	jwkOf := func(k crypto.PublicKey) any {
		var set struct{ Keys []any }
		key := must(jose.NewKey("mine", k, jose.RS256))
		if err := json.Unmarshal(must(jose.MarshalJWKS([]jose.Key{key})), &set); err != nil {
			t.Fatal(err)
		}
		return set.Keys[0]
	}
	payload := string(must(json.Marshal(h.claims())))
	for name, c := range map[string]struct{ assertion, reason string }{
		"alg none": {
			signWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, h.claims()), "assertion_malformed",
		},
		"HS256 with the public key's PEM as secret": {
			signWith(jwt.SigningMethodHS256, publicPEM(clusterKey().Public()), h.claims()), "assertion_malformed",
		},
		"HS256 with the public key's DER as secret": {
			signWith(jwt.SigningMethodHS256, must(x509.MarshalPKIXPublicKey(clusterKey().Public())), h.claims()), "assertion_malformed",
		},
		"an algorithm the key is not for": {signWith(jwt.SigningMethodPS256, clusterKey(), h.claims()), "assertion_algorithm"},
		"no kid":                          {sign(h.claims(), map[string]any{"kid": nil}), "assertion_not_valid"},
		"an unknown kid":                  {sign(h.claims(), map[string]any{"kid": "other"}), "assertion_unknown_key"},
		"another key under the kid":       {signWith(jwt.SigningMethodRS256, strangeKey(), h.claims()), "assertion_signature"},
		"a key in its own jwk header": {
			signWith(jwt.SigningMethodRS256, strangeKey(), h.claims(), map[string]any{"jwk": jwkOf(strangeKey().Public())}), "assertion_signature",
		},
		"a key in its own jwk header, under its own kid": {
			signWith(jwt.SigningMethodRS256, strangeKey(), h.claims(), map[string]any{"jwk": jwkOf(strangeKey().Public()), "kid": "mine"}), "assertion_unknown_key",
		},
		"a key at its own jku": {
			signWith(jwt.SigningMethodRS256, strangeKey(), h.claims(), map[string]any{"jku": "https://evil.test/keys", "kid": "mine"}), "assertion_unknown_key",
		},
		"a header changed after signing":      {reheader(t, sign(h.claims()), func(m map[string]any) { m["typ"] = "JWT" }), "assertion_signature"},
		"a critical extension it must honour": {sign(h.claims(), map[string]any{"crit": []string{"exp"}}), "assertion_malformed"},
		"an access token's typ":               {sign(h.claims(), map[string]any{"typ": oauth.TypAccessToken}), "assertion_type"},
		"another issuer with the same kid":    {sign(h.claims(jwt.MapClaims{"iss": "https://other-cluster"})), "assertion_of_unknown_issuer"},
		"the issuer with a trailing slash":    {sign(h.claims(jwt.MapClaims{"iss": clusterIssuer + "/"})), "assertion_of_unknown_issuer"},
		"a claim twice":                       {rawClaims(strings.Replace(payload, `"sub"`, `"sub":"system:serviceaccount:shop:billing","sub"`, 1)), "assertion_malformed"},
		"a claim in other letters":            {rawClaims(strings.Replace(payload, `"sub"`, `"SUB":"x","sub"`, 1)), "assertion_malformed"},
		"a claim in letters that fold to its own": {
			rawClaims(strings.Replace(payload, `"sub"`, `"ſub":"system:serviceaccount:shop:billing","sub"`, 1)), "assertion_malformed",
		},
		"JSON that is nested a thousand deep": {
			rawClaims(strings.Replace(payload, `{`, `{"x":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`,`, 1)), "assertion_malformed",
		},
		"a certificate at its own x5u": {
			signWith(jwt.SigningMethodRS256, strangeKey(), h.claims(), map[string]any{"x5u": "https://evil.test/chain", "kid": "mine"}), "assertion_unknown_key",
		},
		"a certificate in its own x5c": {
			signWith(jwt.SigningMethodRS256, strangeKey(), h.claims(), map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(certificateOf("mine", strangeKey()).Certificate[0])}}), "assertion_signature",
		},
		"bytes after the signature": {sign(h.claims()) + "AAAA", "assertion_signature"},
		"padding":                   {sign(h.claims()) + "=", "assertion_malformed"},
		"no JWT at all":             {"hello", "assertion_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			wantIdentity(t, h, h.token(t, federatedForm(c.assertion), checkoutCert()), c.reason)
		})
	}
}

func TestRefusesHugeAssertion(t *testing.T) {
	h := newHouse(t)
	r := h.token(t, federatedForm(sign(h.claims(jwt.MapClaims{"x": strings.Repeat("a", 1<<20)}))), checkoutCert())
	if r.status != http.StatusRequestEntityTooLarge || r.number() != oauth.ErrBodyTooLarge {
		t.Errorf("got %d %s; want 413 with %d", r.status, r.raw, oauth.ErrBodyTooLarge)
	}
}

func TestRefusesAccessTokenAsAssertion(t *testing.T) {
	h := newHouse(t)
	token := h.token(t, mtlsForm("shop/checkout"), checkoutCert()).AccessToken
	wantIdentity(t, h, h.token(t, federatedForm(token), checkoutCert()), "assertion_of_unknown_issuer")
}

func TestRefusesAssertionForSomebodyElse(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	for name, aud := range map[string]any{
		"another audience":                  []string{"https://elsewhere.test"},
		"ours and another (injection)":      []string{h.url, "https://elsewhere.test"},
		"the API server's default audience": []string{clusterIssuer},
		"the token endpoint":                []string{h.url + "/oauth2/token"},
		"ours with a trailing slash":        []string{h.url + "/"},
		"no audience":                       nil,
		"an empty list":                     []string{},
	} {
		t.Run(name, func(t *testing.T) {
			wantIdentity(t, h, h.token(t, federatedForm(sign(h.claims(jwt.MapClaims{"aud": aud}))), checkoutCert()), "assertion_audience")
		})
	}
}

func TestRefusesAssertionOutOfItsTime(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	unix := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		reason string
	}{
		"expired beyond the leeway":         {jwt.MapClaims{"exp": unix(-31 * time.Second)}, "assertion_expired"},
		"not yet valid beyond the leeway":   {jwt.MapClaims{"nbf": unix(31 * time.Second)}, "assertion_not_yet_valid"},
		"issued in the future":              {jwt.MapClaims{"iat": unix(31 * time.Second)}, "assertion_not_yet_valid"},
		"a legacy token that never expires": {jwt.MapClaims{"exp": nil}, "assertion_not_valid"},
	} {
		t.Run(name, func(t *testing.T) {
			wantIdentity(t, h, h.token(t, federatedForm(sign(h.claims(c.claims))), checkoutCert()), c.reason)
		})
	}
	for name, claims := range map[string]jwt.MapClaims{
		"a clock 5 s ahead of ours": {"nbf": unix(5 * time.Second), "iat": unix(5 * time.Second), "exp": unix(time.Hour + 5*time.Second)},
		"a clock 5 s behind ours":   {"nbf": unix(-5 * time.Second), "iat": unix(-5 * time.Second), "exp": unix(time.Hour - 5*time.Second)},
	} {
		t.Run("accepts "+name, func(t *testing.T) {
			if r := h.token(t, federatedForm(sign(h.claims(claims))), checkoutCert()); r.status != http.StatusOK {
				t.Errorf("got %d %s", r.status, r.raw)
			}
		})
	}
	t.Run("a token that ended 5 s ago is believed, but gives no token that would end at once", func(t *testing.T) {
		r := h.token(t, federatedForm(sign(h.claims(jwt.MapClaims{"exp": unix(-5 * time.Second)}))), checkoutCert())
		if r.number() != oauth.ErrLifetimeTooLow {
			t.Errorf("got %d %s; want %d", r.status, r.raw, oauth.ErrLifetimeTooLow)
		}
	})
}

func kubernetes(edit func(map[string]any)) jwt.MapClaims {
	k := map[string]any{
		"namespace":      "shop",
		"serviceaccount": map[string]any{"name": "checkout", "uid": "sa-1"},
		"pod":            map[string]any{"name": "checkout-1", "uid": "pod-1"},
	}
	edit(k)
	return jwt.MapClaims{"kubernetes.io": k}
}

func TestRefusesWorkloadThatIsNotTheClients(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		reason string
	}{
		"a service account of the same name in another namespace": {jwt.MapClaims{
			"sub": "system:serviceaccount:evil:checkout",
			"kubernetes.io": map[string]any{
				"namespace": "evil", "serviceaccount": map[string]any{"name": "checkout", "uid": "sa-3"}, "pod": map[string]any{"name": "checkout-1", "uid": "pod-3"},
			},
		}, "service_account_of_no_such_client"},
		"a subject that its claims contradict": {jwt.MapClaims{"sub": "system:serviceaccount:shop:billing"}, "assertion_subject_disagrees"},
		"a service account that was made anew": {kubernetes(func(k map[string]any) {
			k["serviceaccount"] = map[string]any{"name": "checkout", "uid": "sa-0"}
		}), "service_account_gone"},
		"a pod that was made anew": {kubernetes(func(k map[string]any) {
			k["pod"] = map[string]any{"name": "checkout-1", "uid": "pod-0"}
		}), "pod_gone"},
		"a pod that is gone, or has Succeeded or Failed": {kubernetes(func(k map[string]any) {
			k["pod"] = map[string]any{"name": "checkout-9", "uid": "pod-9"}
		}), "pod_gone"},
		"a token bound to no pod":    {kubernetes(func(k map[string]any) { delete(k, "pod") }), "assertion_bound_to_no_pod"},
		"a token bound to a node":    {kubernetes(func(k map[string]any) { delete(k, "pod"); k["node"] = map[string]any{"name": "n", "uid": "u"} }), "assertion_bound_to_node"},
		"a token bound to a Secret":  {kubernetes(func(k map[string]any) { delete(k, "pod"); k["secret"] = map[string]any{"name": "s", "uid": "u"} }), "assertion_bound_to_secret"},
		"a legacy token of a Secret": {jwt.MapClaims{"kubernetes.io": nil, "kubernetes.io/serviceaccount/namespace": "shop"}, "assertion_without_service_account"},
	} {
		t.Run(name, func(t *testing.T) {
			wantIdentity(t, h, h.token(t, federatedForm(sign(h.claims(c.claims))), checkoutCert()), c.reason)
		})
	}
}

func TestRefusesPodThatHasEnded(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	h.workloads.change(func() {
		h.workloads.pods["shop/checkout-1/pod-1"] = clientauth.Pod{DeletionTimestamp: noon.Add(30 * time.Second)}
	})
	if r := h.token(t, federatedForm(sign(h.claims())), checkoutCert()); r.status != http.StatusOK {
		t.Errorf("a pod that drains within its grace period got %d %s", r.status, r.raw)
	}
	h.clock.advance(30 * time.Second)
	wantIdentity(t, h, h.token(t, federatedForm(sign(h.claims())), checkoutCert()), "pod_deleted")
}

func TestSaysWhenItCannotTell(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	down := errors.New("connection refused")
	check := func(t *testing.T, reason string) {
		t.Helper()
		r := h.token(t, federatedForm(sign(h.claims())), checkoutCert())
		if r.status != http.StatusServiceUnavailable || r.Error != "temporarily_unavailable" || r.header.Get("Retry-After") == "" {
			t.Errorf("got %d %s; want 503 temporarily_unavailable with Retry-After", r.status, r.raw)
		}
		if e := h.lastEvent(t); e["reason"] != reason || e["level"] != "ERROR" {
			t.Errorf("logged %v", e)
		}
	}
	h.cluster.err.Store(&down)
	check(t, "service_account_keys")
	h.cluster.err.Store(nil)
	h.workloads.change(func() { h.workloads.err = down })
	check(t, "service_account")
}

func TestRefusesTwoMethods(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	with := func(f url.Values, name, value string) url.Values { f.Set(name, value); return f }
	basic := http.Header{"Authorization": {"Basic c2hvcDpzZWNyZXQ="}}
	for name, c := range map[string]struct {
		form   url.Values
		header http.Header
		certs  []tls.Certificate
		want   oauth.Number
	}{
		"an assertion and a secret in the form":    {form: with(federatedForm(sign(h.claims())), "client_secret", "s"), want: oauth.ErrTwoMethods},
		"an assertion and an Authorization header": {form: federatedForm(sign(h.claims())), header: basic, want: oauth.ErrTwoMethods},
		"a certificate and a secret":               {form: with(mtlsForm("shop/checkout"), "client_secret", "s"), certs: []tls.Certificate{checkoutCert()}, want: oauth.ErrTwoMethods},
		"an unsigned assertion beside a valid certificate": {
			form:  federatedForm(signWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, h.claims())),
			certs: []tls.Certificate{checkoutCert()}, want: oauth.ErrIdentity,
		},
		"a secret alone, which is not served":      {form: with(mtlsForm("shop/checkout"), "client_secret", "s"), want: oauth.ErrNoMethod},
		"nothing at all":                           {form: mtlsForm("shop/checkout"), want: oauth.ErrNoMethod},
		"an assertion without its type":            {form: with(federatedForm(sign(h.claims())), "client_assertion_type", ""), want: oauth.ErrMissingParameter},
		"an assertion of another type":             {form: with(federatedForm(sign(h.claims())), "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), want: oauth.ErrAssertionType},
		"a client_id that the assertion is not of": {form: with(federatedForm(sign(h.claims())), "client_id", "shop/billing"), certs: []tls.Certificate{checkoutCert()}, want: oauth.ErrIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			r := send(t, client(t, c.certs...), request(t, http.MethodPost, h.url+"/oauth2/token", c.form.Encode(), c.header))
			if r.number() != c.want {
				t.Errorf("got %d %s; want %d", r.status, r.raw, c.want)
			}
		})
	}
}
