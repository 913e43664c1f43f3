package inspect

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/verifier"
)

func TestAccessTokens(t *testing.T) {
	client, thief, signer := newParty(t), newParty(t), newParty(t)
	sealed := func(edits ...func(claims)) string {
		return sign(t, "key-1", signer.key, oauth.TypAccessToken, accessClaims(client, edits...))
	}
	good := sealed()
	tests := map[string]struct {
		token string
		facts Facts
		// want stands in the findings or in the conclusion.
		want     string
		accepted bool
	}{
		"a good token with its certificate and the keys": {
			good,
			Facts{Certificate: client.certificate, Keys: signer.keys(t, "key-1")},
			"The API api://orders accepts it now, over a connection with this certificate.", true,
		},
		"a good token alone, without keys": {
			good,
			Facts{},
			"The API api://orders accepts it now, over a connection with that certificate, if the signature is right.", true,
		},
		"without keys it says that the signature was not checked": {good, Facts{}, "the signature was not checked", true},
		"another certificate":            {good, Facts{Certificate: thief.certificate}, "do not belong together", false},
		"a key of another issuer":        {good, Facts{Keys: thief.keys(t, "key-1")}, "signature does not verify", false},
		"a key that is not published":    {good, Facts{Keys: signer.keys(t, "key-2")}, "no key has the kid", false},
		"another issuer":                 {good, Facts{Keys: signer.keys(t, "key-1"), Issuer: "https://other"}, "of another issuer", false},
		"a changed claim":                {swapPayload(good, sealed(set("aud", "api://payments"))), Facts{Keys: signer.keys(t, "key-1")}, "signature does not verify", false},
		"expired":                        {sealed(set("exp", now().Add(-5*time.Minute).Unix())), Facts{}, "it has expired: exp was 5m ago", false},
		"expired within the leeway":      {sealed(set("exp", now().Add(-10*time.Second).Unix())), Facts{}, "accepted for a moment more", true},
		"not valid yet":                  {sealed(set("nbf", now().Add(5*time.Minute).Unix())), Facts{}, "nbf is in 5m", false},
		"made in the future":             {sealed(set("iat", now().Add(5*time.Minute).Unix())), Facts{}, "iat is in 5m", false},
		"without an end":                 {sealed(set("exp", nil)), Facts{}, "it has no end", false},
		"two audiences":                  {sealed(set("aud", []string{"api://orders", "api://payments"})), Facts{}, "it is for 2 audiences", false},
		"no audience":                    {sealed(set("aud", nil)), Facts{}, "it is for nobody", false},
		"no client":                      {sealed(set("client_id", nil)), Facts{}, "it does not name its client", false},
		"no issuer":                      {sealed(set("iss", nil)), Facts{}, "it does not name its issuer", false},
		"bound to nothing":               {sealed(set("cnf", nil)), Facts{}, "if its tokenBindingPolicy is Optional", true},
		"bound to a DPoP key":            {sealed(set("cnf", claims{"jkt": "abc"})), Facts{}, "with a DPoP proof of that key", true},
		"bound in two ways":              {sealed(set("cnf", claims{"jkt": "abc", "x5t#S256": "def"})), Facts{}, "in a way that nobody knows", false},
		"bound to null":                  {sealed(set("cnf", claims{})), Facts{}, "in a way that nobody knows", false},
		"another typ":                    {sign(t, "key-1", signer.key, "JWT", accessClaims(client)), Facts{}, `typ is "JWT"`, false},
		"alg none":                       {raw(`{"alg":"none","typ":"at+jwt"}`, `{"iss":"x"}`), Facts{}, "alg is", false},
		"a name that looks like a claim": {sealed(set("ROLES", []string{"Admin"})), Facts{}, `the name "ROLES" looks like "roles"`, false},
		"a claim twice":                  {raw(`{"alg":"ES256","typ":"at+jwt"}`, `{"iss":"x","iss":"y"}`), Facts{}, "refuse its form", false},
		"no token at all":                {"a.b.c", Facts{}, "Nobody accepts it.", false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			test.facts.Now = now()
			j := Judge(test.token, test.facts)
			if said := told(j); j.Accepted != test.accepted || !strings.Contains(said, test.want) {
				t.Errorf("accepted %v, want %v; it says:\n%s\nwant in it: %s", j.Accepted, test.accepted, said, test.want)
			}
			agrees(t, test.token, test.facts, signer, j)
		})
	}
}

// agrees asks package verifier, which is what APIs judge with, about a token that is
// judged with the right keys: it must accept exactly what inspect calls accepted.
func agrees(t *testing.T, token string, f Facts, signer party, j Judgement) {
	t.Helper()
	if f.Keys == nil {
		f.Keys = signer.keys(t, "key-1")
		j = Judge(token, f)
	}
	audience, iss := "api://orders", f.Issuer
	if iss == "" {
		iss = issuerURL
	}
	set, ok := f.Keys.(jose.Keys)
	if !ok {
		t.Fatal("keys of another type")
	}
	var list []jose.Key
	for _, k := range set {
		list = append(list, k)
	}
	jwks, err := jose.MarshalJWKS(list)
	check(t, err)
	v, err := verifier.New(verifier.Config{
		Issuer: iss, Audience: audience, AllowUnbound: true, Now: now,
		HTTPClient: &http.Client{Transport: document(jwks)},
	})
	check(t, err)
	_, err = v.Verify(context.Background(), token, f.Certificate)
	accepted := err == nil
	if refusal, ok := errors.AsType[*verifier.Refusal](err); ok {
		// Inspect says what else is needed, where the API would ask for it.
		accepted = f.Certificate == nil && refusal.Number == oauth.ErrTokenNeedsCertificate || refusal.Number == oauth.ErrTokenNeedsProof
	}
	if accepted != j.Accepted {
		t.Errorf("the verifier says %v, inspect says %v:\n%s", err, j.Accepted, told(j))
	}
}

// document answers every request with itself.
type document []byte

func (d document) RoundTrip(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	_, err := w.Write(d)
	return w.Result(), err
}

func TestServiceAccountTokens(t *testing.T) {
	cluster := newParty(t)
	sealed := func(edits ...func(claims)) string {
		c := claims{
			"iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:shop:checkout", "aud": []string{issuerURL},
			"exp": now().Add(time.Hour).Unix(), "iat": now().Unix(), "nbf": now().Unix(),
			"kubernetes.io": claims{
				"namespace": "shop", "serviceaccount": claims{"name": "checkout", "uid": "u"}, "pod": claims{"name": "checkout-1", "uid": "p"}, "node": claims{"name": "n", "uid": "n"},
			},
		}
		for _, edit := range edits {
			edit(c)
		}
		return sign(t, "sa", cluster.key, "JWT", c)
	}
	account := claims{"name": "checkout", "uid": "u"}
	tests := map[string]struct {
		token, want string
		accepted    bool
	}{
		"bound to a pod":        {sealed(), "for a client that lists the service account shop/checkout", true},
		"no API takes it":       {sealed(), "no API accepts it", true},
		"bound to nothing":      {sealed(set("kubernetes.io", claims{"namespace": "shop", "serviceaccount": account})), "boundTo: Any", true},
		"bound to a node":       {sealed(set("kubernetes.io", claims{"namespace": "shop", "serviceaccount": account, "node": account})), "bound to a node", false},
		"bound to a Secret":     {sealed(set("kubernetes.io", claims{"namespace": "shop", "serviceaccount": account, "secret": account})), "bound to a Secret", false},
		"of another account":    {sealed(set("sub", "system:serviceaccount:shop:other")), "name different service accounts", false},
		"for the API server":    {sealed(set("aud", "https://kubernetes.default.svc.cluster.local")), "the audience must be the issuer", false},
		"for another issuer":    {sealed(set("aud", "https://other")), "the audience must be the issuer", false},
		"for two":               {sealed(set("aud", []string{issuerURL, "other"})), "for 2 audiences", false},
		"expired":               {sealed(set("exp", now().Add(-time.Hour).Unix())), "it has expired", false},
		"a token of old times":  {raw(`{"alg":"RS256","kid":"x"}`, `{"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:shop:checkout","kubernetes.io/serviceaccount/secret.name":"s"}`), "bound to a Secret", false},
		"that is an at+jwt too": {sign(t, "k", cluster.key, "at+jwt", claims{"sub": "system:serviceaccount:shop:checkout"}), "No API accepts it", false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			j := Judge(test.token, Facts{Now: now(), Issuer: issuerURL})
			if said := told(j); j.Accepted != test.accepted || !strings.Contains(said, test.want) {
				t.Errorf("accepted %v, want %v; it says:\n%s\nwant in it: %s", j.Accepted, test.accepted, said, test.want)
			}
		})
	}
}

func TestClientAssertions(t *testing.T) {
	client, thief := newParty(t), newParty(t)
	thumbprint := jose.X5TS256(client.certificate.Raw)
	sealed := func(edits ...func(claims)) string {
		c := claims{"iss": "shop/checkout", "sub": "shop/checkout", "aud": issuerURL, "jti": "1", "exp": now().Add(5 * time.Minute).Unix()}
		for _, edit := range edits {
			edit(c)
		}
		return sign(t, thumbprint, client.key, "JWT", c)
	}
	tests := map[string]struct {
		token       string
		certificate *x509.Certificate
		want        string
		accepted    bool
	}{
		"with its certificate":    {sealed(), client.certificate, "the key of the certificate signed it", true},
		"without":                 {sealed(), nil, "the signature was not checked", true},
		"with another":            {sealed(), thief.certificate, "did not sign it", false},
		"that lives too long":     {sealed(set("exp", now().Add(time.Hour).Unix())), nil, "it lives too long", false},
		"without jti":             {sealed(set("jti", nil)), nil, "assertionReuse: UntilExpiry", true},
		"for the endpoint itself": {sealed(set("aud", issuerURL+"/oauth2/token")), nil, "accepts it once", true},
		"for nobody":              {sealed(set("aud", nil)), nil, "for nobody", false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			j := Judge(test.token, Facts{Now: now(), Issuer: issuerURL, Certificate: test.certificate})
			if said := told(j); j.Kind != ClientAssertion || j.Accepted != test.accepted || !strings.Contains(said, test.want) {
				t.Errorf("%s, accepted %v, want %v; it says:\n%s\nwant in it: %s", j.Kind, j.Accepted, test.accepted, said, test.want)
			}
		})
	}
}

// told is all that a judgement says.
func told(j Judgement) string {
	var b strings.Builder
	for _, f := range j.Findings {
		b.WriteString(string(f.Level) + " " + f.Text + "\n")
	}
	return b.String() + j.Conclusion
}

// swapPayload is a token with the claims of another, and its own signature.
func swapPayload(token, other string) string {
	a, b := strings.Split(token, "."), strings.Split(other, ".")
	return a[0] + "." + b[1] + "." + a[2]
}

func TestDPoPProof(t *testing.T) {
	p := newParty(t)
	e := base64.RawURLEncoding
	jwk := `{"kty":"EC","crv":"P-256","x":"` + e.EncodeToString(p.key.X.FillBytes(make([]byte, 32))) + `","y":"` + e.EncodeToString(p.key.Y.FillBytes(make([]byte, 32))) + `"}`
	header := `{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`
	if j := Judge(raw(header, `{"jti":"1","htm":"GET","htu":"https://a/","iat":1780315200}`), Facts{Now: now()}); j.Kind != DPoPProof || j.Accepted {
		t.Errorf("a proof that nobody signed: %+v", j)
	}
}
