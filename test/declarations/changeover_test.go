package declarations

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/signingkeys"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
	"github.com/lanyard-dev/lanyard/test/testenv"
	"github.com/lanyard-dev/lanyard/verifier"
)

// maxAge is how long anybody may keep the issuer's JWKS.
const maxAge = 5 * time.Minute

// traffic is an issuer whose tokens an API verifies from minute to minute. Between
// the two stands a cache that keeps the JWKS for as long as it may.
type traffic struct {
	*house
	issuer     issuer
	keys       *mint.Keys
	api        *verifier.Verifier
	clientID   string
	identifier string
	given      []given
}

// given is a token, and when it was given.
type given struct {
	token     string
	at        time.Time
	algorithm string
}

func newTraffic(t *testing.T, h *house) *traffic {
	t.Helper()
	f := &traffic{house: h, keys: mint.NewKeys()}
	f.issuer = runIssuer(t, f.keys, h.namespace, signingkeys.SecretName, h.clock.now)

	shop, orders := env.Namespace(t, nil, nil).Name, env.Namespace(t, nil, nil).Name
	f.clientID, f.identifier = shop+"/checkout", "api://"+orders
	resource := newResource(orders, "orders", f.identifier)
	resource.Spec.Assignment = v1alpha1.AssignmentOptional
	create(t, resource)
	pin(t, create(t, newClient(shop, "checkout")))

	server := httptest.NewTLSServer(cached(f.keys, h.clock.now))
	t.Cleanup(server.Close)
	var err error
	f.api, err = verifier.New(verifier.Config{
		Issuer: issuerURL, Audience: f.identifier, JWKSURL: server.URL, HTTPClient: server.Client(), Now: h.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// cached serves a JWKS that is at most maxAge old, and not much less.
func cached(keys *mint.Keys, now func() time.Time) http.HandlerFunc {
	var mu sync.Mutex
	var body []byte
	var at time.Time
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if now().Sub(at) >= maxAge {
			body, _ = keys.JWKS(now())
			at = now()
		}
		_, _ = w.Write(body)
	}
}

// verify has the API judge a token.
func (f *traffic) verify(t *testing.T, token string) error {
	t.Helper()
	_, err := f.api.Verify(t.Context(), token, &x509.Certificate{Raw: []byte("certificate")})
	return err
}

// minute gives a token, and has the API accept it and all that have not ended.
func (f *traffic) minute(t *testing.T) {
	t.Helper()
	f.clock.set(f.clock.now().Add(time.Minute))
	token, _, refusal := f.issuer.token(t.Context(), f.clientID, f.identifier)
	if refusal != nil {
		t.Fatal(refusal)
	}
	f.given = append(f.given, given{token, f.clock.now(), algorithmOf(t, token)})
	for _, g := range f.given {
		if f.clock.now().Sub(g.at) >= 10*time.Minute {
			continue
		}
		if err := f.verify(t, g.token); err != nil {
			t.Errorf("at %s the API refuses a token of %s, signed with %s: %v", f.clock.now(), g.at, g.algorithm, err)
		}
	}
}

// algorithmOf reads a token's header.
func algorithmOf(t *testing.T, token string) (algorithm string) {
	t.Helper()
	part, _, _ := strings.Cut(token, ".")
	data, err := base64.RawURLEncoding.DecodeString(part)
	var header struct{ Alg string }
	if err == nil {
		err = json.Unmarshal(data, &header)
	}
	if err != nil {
		t.Fatal(err)
	}
	return header.Alg
}

// awaitPublished waits until the issuer publishes so many keys.
func (f *traffic) awaitPublished(t *testing.T, n int) {
	t.Helper()
	testenv.Eventually(t, func(context.Context) error {
		body, _ := f.keys.JWKS(f.clock.now())
		if published, err := jose.ParseJWKS(body); err != nil || len(published) != n {
			return errors.Join(fmt.Errorf("%d keys are published; want %d", len(published), n), err)
		}
		return nil
	})
}

// command annotates the Secret, as a person does.
func (f *traffic) command(t *testing.T, annotation, value string) {
	t.Helper()
	change(t, f.secret(), func(s *corev1.Secret) { s.Annotations = map[string]string{annotation: value} })
}

// The algorithm is changed, and later a compromised key is dropped. Whoever asks for a
// token at any time gets one that every API accepts.
func TestTokensVerifyWhileKeysChange(t *testing.T) {
	h := emptyHouse(t)
	t.Run("a controller of before", func(t *testing.T) {
		h.run(t, keyring.ES256)
		h.await(t, 1)
	})
	f := newTraffic(t, h)
	testenv.Eventually(t, func(ctx context.Context) error {
		if _, _, refusal := f.issuer.token(ctx, f.clientID, f.identifier); refusal != nil {
			return refusal
		}
		return nil
	})
	f.minute(t)

	h.run(t, keyring.RS256)
	f.awaitPublished(t, 2)
	for range 25 {
		f.minute(t)
	}
	if first, last := f.given[1].algorithm, f.given[len(f.given)-1].algorithm; first != "ES256" || last != "RS256" {
		t.Fatalf("signed with %s, and later with %s", first, last)
	}

	// The next key is published on command; then the one that signs turns out to be
	// stolen.
	f.command(t, v1alpha1.AnnotationRotate, "")
	f.awaitPublished(t, 3)
	for range 7 {
		f.minute(t)
	}
	stolen := f.given[len(f.given)-1].token
	f.given = nil // they end with their key
	f.command(t, v1alpha1.AnnotationDropKey, "current")
	f.awaitPublished(t, 2)
	f.wantInactive(t, stolen)
	for range 6 {
		f.minute(t)
	}
	if err := f.verify(t, stolen); err == nil {
		t.Error("the API accepts a token of a dropped key for longer than it may keep the JWKS")
	}
}

// wantInactive asks the issuer itself about a token.
func (f *traffic) wantInactive(t *testing.T, token string) {
	t.Helper()
	var event tokenservice.Event
	answer, refusal := f.issuer.service.Introspect(t.Context(), tokenservice.IntrospectionRequest{Presented: presented(f.clientID), Token: token}, &event)
	if refusal != nil || answer.Active {
		t.Errorf("introspection: %+v, %v; want inactive", answer, refusal)
	}
}
