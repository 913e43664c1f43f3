package verifier_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/verifier"
)

func nonceKey(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func TestAsksForNonces(t *testing.T) {
	api := newDPoPAPI(t, func(c *verifier.Config) { c.NonceKeys = [][]byte{nonceKey(1), nonceKey(2)} })
	got := api.callWithProof(api.proof())
	wantRefused(t, got, 401, "use_dpop_nonce", "DPoP-Nonce")
	if got.nonce == "" || got.number(t) != oauth.ErrTokenProofNonce {
		t.Fatalf("got the nonce %q and the number %d", got.nonce, got.number(t))
	}
	fresh := api.callWithProof(api.proof().with("nonce", got.nonce))
	wantAccepted(t, fresh)
	if fresh.nonce != "" {
		t.Error("a new nonce for one that is fresh")
	}
	// An answer gives the next nonce before the old one ends.
	api.issuer.clock.add(5 * time.Minute)
	next := api.callWithProof(api.proof().with("nonce", got.nonce))
	wantAccepted(t, next)
	if next.nonce == "" || next.nonce == got.nonce {
		t.Errorf("the next nonce is %q", next.nonce)
	}
	api.issuer.clock.add(4 * time.Minute)
	wantAccepted(t, api.callWithProof(api.proof().with("nonce", next.nonce)))
}

func TestRefusesNonces(t *testing.T) {
	keys := func(list ...byte) func(*verifier.Config) {
		return func(c *verifier.Config) {
			for _, b := range list {
				c.NonceKeys = append(c.NonceKeys, nonceKey(b))
			}
		}
	}
	api := newDPoPAPI(t, keys(1, 2))
	for name, c := range map[string]struct {
		nonce    string
		accepted bool
	}{
		"of another server":         {api.issuer.verifier(keys(3)).DPoPNonce(), false},
		"of nobody":                 {"nonce", false},
		"of the key before":         {api.issuer.verifier(keys(2)).DPoPNonce(), true},
		"of another replica":        {api.issuer.verifier(keys(1, 2)).DPoPNonce(), true},
		"of a server that has none": {api.issuer.verifier().DPoPNonce() + "x", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := api.callWithProof(api.proof().with("nonce", c.nonce))
			if c.accepted {
				wantAccepted(t, got)
				return
			}
			wantRefused(t, got, 401, "use_dpop_nonce", "nonce")
		})
	}
	// Ten minutes later it is too old.
	nonce := api.issuer.verifier(keys(1)).DPoPNonce()
	api.issuer.clock.add(10 * time.Minute)
	api.token = api.issuer.sign(api.client.claimsFor(api.issuer))
	wantRefused(t, api.callWithProof(api.proof().with("nonce", nonce)), 401, "use_dpop_nonce", "nonce")
}

// behindProxy calls the handler as a proxy does that ends TLS and cuts the path.
func behindProxy(t *testing.T, v *verifier.Verifier, header http.Header) reply {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://10.0.0.7/orders?page=2", http.NoBody)
	request.Header = header
	recorder := httptest.NewRecorder()
	v.Middleware(http.HandlerFunc(hello)).ServeHTTP(recorder, request)
	return reply{
		status: recorder.Code, body: recorder.Body.String(), challenges: recorder.Header().Values("WWW-Authenticate"), nonce: recorder.Header().Get("DPoP-Nonce"),
	}
}

func TestKnowsItsURLBehindAProxy(t *testing.T) {
	issuer, client := newFakeIssuer(t), newProver(t)
	token := issuer.sign(client.claimsFor(issuer))
	v := issuer.verifier(func(c *verifier.Config) { c.URLs = []string{"https://orders.test/v1/", "https://internal.orders.test"} })
	proof := func(url string) http.Header {
		return withProofs(token, client.sign(client.proofFor(issuer, token, url)))
	}

	wantAccepted(t, behindProxy(t, v, proof("https://orders.test/v1/orders")))
	wantAccepted(t, behindProxy(t, v, proof("https://internal.orders.test/orders")))
	for _, url := range []string{"https://orders.test/orders", "http://10.0.0.7/orders", "https://10.0.0.7/orders", "https://internal.orders.test/v1/orders"} {
		wantProofRefused(t, behindProxy(t, v, proof(url)), "htu must be the URL of the request, such as https://orders.test/v1/orders")
	}
	// Without TLS and without URLs it does not guess.
	wantProofRefused(t, behindProxy(t, issuer.verifier(), proof("http://10.0.0.7/orders")), "not known here")
	wantProofRefused(t, behindProxy(t, issuer.verifier(), proof("https://10.0.0.7/orders")), "not known here")
}

func TestRefusesURLInHeader(t *testing.T) {
	api := newDPoPAPI(t)
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Original-Url", "X-Rewrite-Url"} {
		header := withProofs(api.token, api.client.sign(api.proof().with("htu", "https://evil.test/orders")))
		header.Set(name, "https://evil.test/orders")
		wantProofRefused(t, api.call(header), "htu")
	}
}

// A router that cuts off a part of the path leaves the proof's URL what it was.
func TestComparesThePathThatWasSent(t *testing.T) {
	issuer, client := newFakeIssuer(t), newProver(t)
	token := issuer.sign(client.claimsFor(issuer))
	api := serve(t, http.StripPrefix("/orders", issuer.verifier().Middleware(http.HandlerFunc(hello))))
	wantAccepted(t, api.call(withProofs(token, client.sign(client.proofFor(issuer, token, api.URL+"/orders")))))
	wantProofRefused(t, api.call(withProofs(token, client.sign(client.proofFor(issuer, token, api.URL+"/")))), "htu")
}

func TestRefusesUnfitDPoPConfig(t *testing.T) {
	issuer := newFakeIssuer(t)
	for word, change := range map[string]func(*verifier.Config){
		"URLs":      func(c *verifier.Config) { c.URLs = []string{"orders.test"} },
		"https":     func(c *verifier.Config) { c.URLs = []string{"http://orders.test"} },
		"NonceKeys": func(c *verifier.Config) { c.NonceKeys = [][]byte{nonceKey(1), []byte("short")} },
		"MaxProofs": func(c *verifier.Config) { c.MaxProofs = -1 },
	} {
		c := issuer.config()
		change(&c)
		if _, err := verifier.New(c); err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "short") {
			t.Errorf("got %v, want an error with %q", err, word)
		}
	}
}
