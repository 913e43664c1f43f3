package verifier_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/test/testcert"
	"github.com/lanyard-dev/lanyard/verifier"
)

func TestJWKSOutage(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v := issuer.verifier()
	api := serve(t, v.Middleware(http.HandlerFunc(hello)))
	issuer.breakDown()
	token := func() string { return issuer.sign(issuer.claimsFor(cert.Leaf)) }

	got := api.callWith(token(), cert)
	if got.status != 503 || got.errorCode(t) != "temporarily_unavailable" || got.retryAfter == "" || got.challenges != nil {
		t.Fatalf("before any key was fetched: %+v, want 503", got)
	}
	if _, err := v.Verify(t.Context(), token(), cert.Leaf); !errors.Is(err, verifier.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	// What cannot be ours is refused all the same.
	wantRefused(t, api.callWith("x.y.z", cert), 401, "invalid_token", "JWT")

	issuer.publish(issuer.signer)
	issuer.clock.add(10 * time.Second)
	wantAccepted(t, api.callWith(token(), cert))

	issuer.breakDown()
	issuer.clock.add(23 * time.Hour)
	wantAccepted(t, api.callWith(token(), cert))
	issuer.waitForFetch(3)
	issuer.clock.add(time.Hour)
	if got := api.callWith(token(), cert); got.status != 503 {
		t.Fatalf("with keys of a day ago: %d, want 503", got.status)
	}
}

// waitForFetch waits until the issuer has answered n times in all.
func (f *fakeIssuer) waitForFetch(n int) {
	f.t.Helper()
	for f.answered < n {
		select {
		case <-f.asked:
			f.answered++
		case <-f.t.Context().Done():
			f.t.Fatal("the issuer was not asked")
		}
	}
}

func TestUnknownKeyIDDoesNotHammerTheIssuer(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v := issuer.verifier()
	api := serve(t, v.Middleware(http.HandlerFunc(hello)))
	wantAccepted(t, api.callWith(issuer.sign(issuer.claimsFor(cert.Leaf)), cert))

	stranger := newSigner(t)
	forged := sign(t, stranger, "at+jwt", issuer.claimsFor(cert.Leaf))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), forged, cert.Leaf); !errors.Is(err, jose.ErrUnknownKey) {
				t.Errorf("got %v, want ErrUnknownKey", err)
			}
		})
	}
	wg.Wait()
	if n := issuer.fetched(); n != 1 {
		t.Errorf("%d fetches within 10 s, want 1", n)
	}
	issuer.clock.add(10 * time.Second)
	for range 50 {
		wg.Go(func() { _, _ = v.Verify(t.Context(), forged, cert.Leaf) })
	}
	wg.Wait()
	if n := issuer.fetched(); n != 2 {
		t.Errorf("%d fetches after 10 s more, want 2", n)
	}
	wantAccepted(t, api.callWith(issuer.sign(issuer.claimsFor(cert.Leaf)), cert))
}

func TestTokenOfAnotherIssuerCausesNoFetch(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	token := sign(t, newSigner(t), "at+jwt", issuer.claimsFor(cert.Leaf).with("iss", "https://other.test"))
	if _, err := issuer.verifier().Verify(t.Context(), token, cert.Leaf); !errors.Is(err, jose.ErrIssuer) {
		t.Errorf("got %v, want ErrIssuer", err)
	}
	if n := issuer.fetched(); n != 0 {
		t.Errorf("%d fetches, want none", n)
	}
}

func TestPicksUpARotatedKey(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v := issuer.verifier()
	verify := func(s *jose.Signer) error {
		_, err := v.Verify(t.Context(), sign(t, s, "at+jwt", issuer.claimsFor(cert.Leaf)), cert.Leaf)
		return err
	}
	old, next := issuer.signer, newSigner(t)
	if err := verify(old); err != nil {
		t.Fatal(err)
	}
	issuer.publish(old, next)
	issuer.clock.add(10 * time.Second)
	if err := verify(next); err != nil {
		t.Fatalf("the next key: %v", err)
	}
	if err := verify(old); err != nil {
		t.Fatalf("the old key: %v", err)
	}
}

func TestRefreshesKeysOfSomeAgeMeanwhile(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	v := issuer.verifier()
	verify := func() error {
		_, err := v.Verify(t.Context(), issuer.sign(issuer.claimsFor(cert.Leaf)), cert.Leaf)
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	issuer.clock.add(5 * time.Minute)
	// The refresh hangs; nobody waits for it.
	release := make(chan struct{})
	keys := newSigner(t)
	data, err := jose.MarshalJWKS([]jose.Key{keys.Key()})
	if err != nil {
		t.Fatal(err)
	}
	issuer.respond(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = w.Write(data)
	})
	for range 3 {
		if err := verify(); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	issuer.waitForFetch(2)
	// The key was dropped. A token of it is refused once the answer is read.
	issuer.clock.add(time.Second)
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := verify()
		if errors.Is(err, jose.ErrUnknownKey) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the dropped key still verifies: %v", err)
		}
	}
	if n := issuer.fetched(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

func TestRefusesKeysFromElsewhere(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	other := newFakeIssuer(t)
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/oauth2/keys", http.StatusFound)
		},
		"an endless body": func(w http.ResponseWriter, _ *http.Request) { writeMuch(w) },
		"no keys":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"no JSON":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) },
		"204":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	} {
		t.Run(name, func(t *testing.T) {
			issuer.respond(answer)
			_, err := issuer.verifier().Verify(t.Context(), issuer.sign(issuer.claimsFor(cert.Leaf)), cert.Leaf)
			if !errors.Is(err, verifier.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnavailable", err)
			}
		})
	}
	if n := other.fetched(); n != 0 {
		t.Error("the redirect was followed")
	}
}

func writeMuch(w http.ResponseWriter) {
	chunk := []byte(strings.Repeat(" ", 64<<10))
	for range 1024 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func TestRefusesIssuerWithAnotherCertificate(t *testing.T) {
	issuer, cert := newFakeIssuer(t), testcert.New(t, "checkout")
	issuer.Config.ErrorLog = discardLog()
	v := issuer.verifier(func(c *verifier.Config) { c.RootCAs = nil })
	_, err := v.Verify(t.Context(), issuer.sign(issuer.claimsFor(cert.Leaf)), cert.Leaf)
	if !errors.Is(err, verifier.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want ErrUnavailable for the certificate", err)
	}
}

func TestNewRefuses(t *testing.T) {
	good := verifier.Config{Issuer: "https://issuer.test", Audience: audience}
	if _, err := verifier.New(good); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*verifier.Config){
		"Issuer":     func(c *verifier.Config) { c.Issuer = "http://issuer.test" },
		"Issuer ":    func(c *verifier.Config) { c.Issuer += "/" },
		"Issuer  ":   func(c *verifier.Config) { c.Issuer += "?x" },
		"Audience":   func(c *verifier.Config) { c.Audience = "" },
		"Audience ":  func(c *verifier.Config) { c.Audience = "a\"b" },
		"JWKSURL":    func(c *verifier.Config) { c.JWKSURL = "keys.json" },
		"Algorithms": func(c *verifier.Config) { c.Algorithms = []jose.Algorithm{"HS256"} },
		"Leeway":     func(c *verifier.Config) { c.Leeway = -1 },
	} {
		c := good
		change(&c)
		if _, err := verifier.New(c); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(field)) {
			t.Errorf("%s: got %v, want an error that names it", field, err)
		}
	}
}
