package verifier_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/test/testcert"
	"github.com/lanyard-dev/lanyard/verifier"
)

// dpopAPI is a resource server, a client with a DPoP key, and its token.
type dpopAPI struct {
	*api
	issuer *fakeIssuer
	client *prover
	token  string
}

func newDPoPAPI(t *testing.T, change ...func(*verifier.Config)) *dpopAPI {
	t.Helper()
	issuer, client := newFakeIssuer(t), newProver(t)
	return &dpopAPI{
		api:    serve(t, issuer.verifier(change...).Middleware(http.HandlerFunc(hello))),
		issuer: issuer, client: client, token: issuer.sign(client.claimsFor(issuer)),
	}
}

// proof are the claims of a good proof.
func (a *dpopAPI) proof() claims { return a.client.proofFor(a.issuer, a.token, a.URL+"/orders") }

// callWithProof sends the token with a proof of these claims.
func (a *dpopAPI) callWithProof(c claims) reply {
	a.t.Helper()
	return a.call(withProofs(a.token, a.client.sign(c)))
}

// wantProofRefused asserts that the proof, and nothing else, is what is wrong.
func wantProofRefused(t *testing.T, got reply, word string) {
	t.Helper()
	wantRefused(t, got, 401, "invalid_dpop_proof", word)
	if got.number(t) != oauth.ErrTokenOtherProof {
		t.Errorf("the number is %d, want %d", got.number(t), oauth.ErrTokenOtherProof)
	}
}

func TestAcceptsTokenWithItsProof(t *testing.T) {
	api := newDPoPAPI(t)
	for _, scheme := range []string{"DPoP", "dpop", "DPOP"} {
		wantAccepted(t, api.call(http.Header{"Authorization": {scheme + " " + api.token}, "Dpop": {api.client.sign(api.proof())}}))
	}
	// A connection's certificate is none of a DPoP token's business.
	wantAccepted(t, api.call(withProofs(api.token, api.client.sign(api.proof())), testcert.New(t, "any")))
	// The query of the request does not count.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL+"/orders?page=2", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = withProofs(api.token, api.client.sign(api.proof()))
	wantAccepted(t, api.send(request))
}

func TestRefusesDPoPTokenAsBearer(t *testing.T) {
	for _, allow := range []bool{false, true} {
		api := newDPoPAPI(t, func(c *verifier.Config) { c.AllowUnbound = allow })
		for _, scheme := range []string{"Bearer", "MTLS_POP"} {
			for name, proofs := range map[string][]string{"alone": nil, "with its proof": {api.client.sign(api.proof())}} {
				got := api.call(http.Header{"Authorization": {scheme + " " + api.token}, "Dpop": proofs}, testcert.New(t, "checkout"))
				wantRefused(t, got, 401, "invalid_token", "scheme DPoP")
				if got.number(t) != oauth.ErrTokenNeedsProof {
					t.Errorf("%s, %s: the number is %d", scheme, name, got.number(t))
				}
			}
		}
	}
}

func TestRefusesDPoPTokenWithoutItsProof(t *testing.T) {
	api := newDPoPAPI(t)
	got := api.call(withProofs(api.token))
	wantRefused(t, got, 401, "invalid_token", "send a proof")
	if got.number(t) != oauth.ErrTokenNeedsProof {
		t.Errorf("the number is %d", got.number(t))
	}
	if want := `algs="RS256 PS256 ES256 ES384 EdDSA", error="invalid_token"`; !strings.Contains(got.challenges[2], want) {
		t.Errorf("challenge is %s, want %s in it", got.challenges[2], want)
	}
}

func TestRefusesTwoProofs(t *testing.T) {
	api := newDPoPAPI(t)
	wantProofRefused(t, api.call(withProofs(api.token, api.client.sign(api.proof()), api.client.sign(api.proof()))), "2 DPoP headers")
}

func TestRefusesProofs(t *testing.T) {
	api := newDPoPAPI(t)
	now := api.issuer.clock.Now()
	other := api.issuer.sign(api.client.claimsFor(api.issuer).with("jti", "id-2"))
	for name, c := range map[string]struct {
		claims claims
		word   string
	}{
		"for another token":       {api.client.proofFor(api.issuer, other, api.URL+"/orders"), "ath"},
		"for no token":            {api.proof().without("ath"), "ath"},
		"for another method":      {api.proof().with("htm", "POST"), "htm"},
		"for another path":        {api.proof().with("htu", api.URL+"/payments"), "htu"},
		"for another host":        {api.proof().with("htu", "https://evil.test/orders"), "htu"},
		"for the issuer":          {api.proof().with("htm", "POST").with("htu", api.issuer.URL+"/oauth2/token"), "htm"},
		"of two minutes ago":      {api.proof().with("iat", now.Add(-2*time.Minute).Unix()), "was made"},
		"made for later":          {api.proof().with("iat", now.Add(time.Hour).Unix()), "ahead"},
		"without an id":           {api.proof().without("jti"), "jti"},
		"with an id without end":  {api.proof().with("jti", strings.Repeat("x", 1000)), "jti"},
		"with a name in capitals": {api.proof().with("HTU", api.URL+"/orders"), "looks like"},
	} {
		t.Run(name, func(t *testing.T) { wantProofRefused(t, api.callWithProof(c.claims), c.word) })
	}
	t.Run("that are no JWT", func(t *testing.T) { wantProofRefused(t, api.call(withProofs(api.token, "proof")), "not accepted") })
	t.Run("that are the token itself", func(t *testing.T) {
		wantProofRefused(t, api.call(withProofs(api.token, api.token)), "typ")
	})
	t.Run("whose signature is of another text", func(t *testing.T) {
		good, longer := api.client.sign(api.proof()), api.client.sign(api.proof())
		mixed := good[:strings.LastIndexByte(good, '.')] + longer[strings.LastIndexByte(longer, '.'):]
		wantProofRefused(t, api.call(withProofs(api.token, mixed)), "signature")
	})
}

func TestRefusesProofOfAnotherKey(t *testing.T) {
	api, thief := newDPoPAPI(t), newProver(t)
	got := api.call(withProofs(api.token, thief.sign(api.proof())))
	wantRefused(t, got, 401, "invalid_token", "another key")
	if got.number(t) != oauth.ErrTokenOtherProof {
		t.Errorf("the number is %d", got.number(t))
	}
	// The victim's public key in the header is not enough.
	thief.jwk = api.client.jwk
	wantProofRefused(t, api.call(withProofs(api.token, thief.sign(api.proof()))), "signature")
}

func TestRefusesCertificateBoundTokenAsDPoP(t *testing.T) {
	api, cert := newDPoPAPI(t), testcert.New(t, "checkout")
	token := api.issuer.sign(api.issuer.claimsFor(cert.Leaf))
	proof := api.client.sign(api.client.proofFor(api.issuer, token, api.URL+"/orders"))
	got := api.call(withProofs(token, proof), cert)
	wantRefused(t, got, 401, "invalid_token", "bound to a certificate")
	if got.number(t) != oauth.ErrTokenNeedsCertificate {
		t.Errorf("the number is %d", got.number(t))
	}
	wantAccepted(t, api.callWith(token, cert))
}

func TestRefusesUnboundTokenAsDPoP(t *testing.T) {
	api := newDPoPAPI(t, func(c *verifier.Config) { c.AllowUnbound = true })
	token := api.issuer.sign(api.issuer.claimsFor(nil))
	got := api.call(withProofs(token, api.client.sign(api.client.proofFor(api.issuer, token, api.URL+"/orders"))))
	wantRefused(t, got, 401, "invalid_token", "this one is not")
	if got.number(t) != oauth.ErrTokenNotBound {
		t.Errorf("the number is %d", got.number(t))
	}
}

func TestRefusesReplayedProof(t *testing.T) {
	api := newDPoPAPI(t)
	c := api.proof()
	wantAccepted(t, api.callWithProof(c))
	wantProofRefused(t, api.callWithProof(c), "used before")
	// Signed again, it is the same proof.
	api.issuer.clock.add(89 * time.Second)
	wantProofRefused(t, api.callWithProof(c), "used before")
	// And never becomes a fresh one.
	api.issuer.clock.add(time.Second)
	wantProofRefused(t, api.callWithProof(c), "was made")
}

func TestRefusesReplayedProofOfTwoAtOnce(t *testing.T) {
	api := newDPoPAPI(t)
	header := withProofs(api.token, api.client.sign(api.proof()))
	const n = 8
	answers := make([]reply, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i] = api.call(header.Clone()) })
	}
	all.Wait()
	accepted := 0
	for _, got := range answers {
		if got.status == http.StatusOK {
			accepted++
		}
	}
	if accepted != 1 {
		t.Errorf("%d of %d requests with one proof were accepted, want 1", accepted, n)
	}
}

func TestRefusesProofsWhenTheMemoryIsFull(t *testing.T) {
	api := newDPoPAPI(t, func(c *verifier.Config) { c.MaxProofs = 4 })
	first := api.proof()
	wantAccepted(t, api.callWithProof(first))
	wantAccepted(t, api.callWithProof(api.proof()))
	// The client's half is full: nothing is forgotten for it.
	if got := api.callWithProof(api.proof()); got.status != 503 || got.errorCode(t) != "temporarily_unavailable" || got.retryAfter == "" {
		t.Errorf("got %d %s, want 503", got.status, got.body)
	}
	wantProofRefused(t, api.callWithProof(first), "used before")
	// Another namespace's client has room, and after a while so has this one.
	other := newProver(t)
	token := api.issuer.sign(other.claimsFor(api.issuer).with("client_id", "bank/other").with("tid", "bank"))
	wantAccepted(t, api.call(withProofs(token, other.sign(other.proofFor(api.issuer, token, api.URL+"/orders")))))
	api.issuer.clock.add(90 * time.Second)
	wantAccepted(t, api.callWithProof(api.proof()))
}

func TestFillsNoMemoryWithProofsOfNobody(t *testing.T) {
	api, thief := newDPoPAPI(t, func(c *verifier.Config) { c.MaxProofs = 2 }), newProver(t)
	for range 5 {
		api.call(withProofs(api.token, thief.sign(api.proof())))
	}
	thief.jwk = api.client.jwk
	for range 5 {
		api.call(withProofs(api.token, thief.sign(api.proof())))
	}
	wantAccepted(t, api.callWithProof(api.proof()))
}

// A router may have a Middleware for all, and RequireRole for some: one request, one
// judgement. Another Verifier judges for itself.
func TestJudgesARequestOnce(t *testing.T) {
	issuer, client := newFakeIssuer(t), newProver(t)
	v, token := issuer.verifier(), issuer.sign(client.claimsFor(issuer))
	call := func(handler http.Handler) reply {
		api := serve(t, handler)
		return api.call(withProofs(token, client.sign(client.proofFor(issuer, token, api.URL+"/orders"))))
	}
	inner := http.HandlerFunc(hello)
	wantAccepted(t, call(v.Middleware(v.Middleware(v.RequireRole(role)(inner)))))
	wantRefused(t, call(v.Middleware(v.RequireRole("Orders.Write")(inner))), 403, "insufficient_scope", "Orders.Write")
	billing := issuer.verifier(func(c *verifier.Config) { c.Audience = "api://billing" })
	wantRefused(t, call(v.Middleware(billing.Middleware(inner))), 401, "invalid_token", "not for this resource")
}

func TestVerifyWithoutHTTP(t *testing.T) {
	issuer, client := newFakeIssuer(t), newProver(t)
	v, token := issuer.verifier(), issuer.sign(client.claimsFor(issuer))
	request := func() verifier.Request {
		const target = "https://broker.test/topics/orders"
		return verifier.Request{
			Token: token, Proofs: []string{client.sign(client.proofFor(issuer, token, target).with("htm", "SUBSCRIBE"))},
			Method: "SUBSCRIBE", URLs: []string{"https://other.test/", target},
		}
	}
	got, err := v.VerifyRequest(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	if got.JKT != client.jkt || got.Thumbprint != "" {
		t.Errorf("bound to the key %q and the certificate %q", got.JKT, got.Thumbprint)
	}
	for name, change := range map[string]func(*verifier.Request){
		"without its proof":     func(r *verifier.Request) { r.Proofs = nil },
		"as Bearer":             func(r *verifier.Request) { r.Scheme = "Bearer" },
		"in an unknown scheme":  func(r *verifier.Request) { r.Scheme = "Basic" },
		"at another method":     func(r *verifier.Request) { r.Method = "PUBLISH" },
		"where no URL is known": func(r *verifier.Request) { r.URLs = nil },
	} {
		r := request()
		change(&r)
		_, err := v.VerifyRequest(t.Context(), r)
		if _, ok := errors.AsType[*verifier.Refusal](err); !ok {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	// Verify knows of no proof.
	_, err = v.Verify(t.Context(), token, testcert.New(t, "checkout").Leaf)
	if refusal, ok := errors.AsType[*verifier.Refusal](err); !ok || refusal.Number != oauth.ErrTokenNeedsProof {
		t.Errorf("got %v, want ErrTokenNeedsProof", err)
	}
}
