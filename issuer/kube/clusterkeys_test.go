package kube

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// apiServer is an API server's discovery, with a key.
type apiServer struct {
	*httptest.Server
	asked  atomic.Int32
	status atomic.Int32
	jwks   atomic.Pointer[string]
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{}
	s.status.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			s.asked.Add(1)
			_, _ = fmt.Fprint(w, `{"issuer":"https://cluster","jwks_uri":"https://evil.test/keys"}`)
		case "/openid/v1/jwks":
			if code := int(s.status.Load()); code != http.StatusOK {
				w.Header().Set("Location", "https://evil.test/keys")
				w.WriteHeader(code)
				return
			}
			_, _ = fmt.Fprint(w, *s.jwks.Load())
		default:
			t.Errorf("asked for %s", r.URL.Path)
		}
	}))
	t.Cleanup(s.Close)
	s.publish(t, "one")
	return s
}

func (s *apiServer) publish(t *testing.T, kids ...string) {
	t.Helper()
	var keys []jose.Key
	for _, kid := range kids {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		key, err := jose.NewKey(kid, private.Public(), jose.RS256)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	set, err := jose.MarshalJWKS(keys)
	if err != nil {
		t.Fatal(err)
	}
	text := string(set)
	s.jwks.Store(&text)
}

func TestClusterKeys(t *testing.T) {
	c, s := newClock(), newAPIServer(t)
	k, err := newClusterKeys(&rest.Config{Host: s.URL}, []string{"https://cluster", "https://old"}, c.now, discard())
	if err != nil {
		t.Fatal(err)
	}
	want := func(step, kid string, known bool, asked int32) {
		t.Helper()
		set, err := k.Keys(t.Context(), kid)
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if _, ok := set.Key(kid); ok != known || s.asked.Load() != asked {
			t.Errorf("%s: known: %v after %d questions; want %v after %d", step, ok, s.asked.Load(), known, asked)
		}
	}
	want("the first time", "one", true, 1)
	if got := fmt.Sprint(k.Issuers()); got != "[https://cluster https://old]" {
		t.Errorf("Issuers() = %s", got)
	}
	s.publish(t, "one", "two")
	want("a known key", "one", true, 1)
	want("an unknown key, asked for a moment ago", "two", false, 1)
	c.advance(keysAtMost)
	want("an unknown key, after a while", "two", true, 2)
	want("a made-up key", "three", false, 2)

	c.advance(keysAtMost)
	for name, status := range map[string]int{"an error": 500, "a redirect": 302, "forbidden": 403} {
		c.advance(keysAtMost)
		s.status.Store(int32(status))
		for range 2 {
			if _, err := k.Keys(t.Context(), "four"); err == nil {
				t.Errorf("%s: an unknown key was answered; want: could not tell", name)
			}
		}
		if _, err := k.Keys(t.Context(), "one"); err != nil {
			t.Errorf("%s: a known key: %v", name, err)
		}
	}
	if s.asked.Load() != 5 {
		t.Errorf("%d questions; want one for each outage", s.asked.Load())
	}
}
