package tokenservice_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

const (
	ownersPin     = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	neighboursPin = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
)

// stored takes what is revoked, and hands it to the registry as a watch would.
type stored struct {
	to   *registry.Registry
	fail error
}

func (s *stored) Revoke(_ context.Context, t tokenservice.RevokedToken, quota int) (bool, error) {
	if s.fail != nil {
		return false, s.fail
	}
	if s.to.RevokedBy(t.ClientID) >= quota {
		return false, nil
	}
	s.to.ApplyRevocation(&v1alpha1.TokenRevocation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: t.ID},
		Spec:       v1alpha1.TokenRevocationSpec{Tokens: []v1alpha1.RevokedToken{{ClientID: t.ClientID, JTI: t.ID, ExpiresAt: metav1.NewTime(t.ExpiresAt)}}},
	})
	return true, nil
}

// living is a cluster with one pod.
type living struct {
	nowhere
	podUID string
	fail   error
}

func (l *living) ServiceAccount(context.Context, string, string, string) (bool, error) {
	return true, l.fail
}

func (l *living) Pod(_ context.Context, _, _, uid string) (clientauth.Pod, bool, error) {
	return clientauth.Pod{}, uid == l.podUID, nil
}

// whole is service with a key, the owner of the resource and a neighbour as further
// clients, and the time under control.
type whole struct {
	*tokenservice.Service
	store *stored
	pods  *living
	at    time.Time
}

func newWhole(t *testing.T) *whole {
	t.Helper()
	s := service(t)
	w := &whole{Service: s, at: now, store: &stored{to: s.Registry}, pods: &living{nowhere: nowhere{t}, podUID: "u"}}
	s.Now = func() time.Time { return w.at }
	s.Replay, s.Revocations, s.RevocationQuota = replay.New(100, 3), w.store, 2
	s.Authenticator.Workloads = w.pods
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	id, err := jose.Thumbprint(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Minter.Keys.Set(keyring.Ring{Keys: []keyring.Key{{ID: id, Algorithm: keyring.ES256, PrivateKeyPKCS8: pkcs8, CreatedAt: now, SignsFrom: now}}}); err != nil {
		t.Fatal(err)
	}
	s.Registry.ApplyNamespace(rules.ParseNamespace("evil", nil, nil))
	for namespace, pin := range map[string]string{"open": ownersPin, "evil": neighboursPin} {
		c, _ := s.Registry.ClientByID("shop/checkout")
		c = c.DeepCopy()
		c.Namespace = namespace
		s.Registry.ApplyClient(c)
		cc := s.Registry.Certificates(first(t, s, "shop/checkout"))[0].DeepCopy()
		cc.Namespace, cc.Status.Pins[0].Thumbprint = namespace, pin
		s.Registry.ApplyCertificate(cc)
	}
	return w
}

func first(t *testing.T, s *tokenservice.Service, id string) *v1alpha1.OAuthClient {
	t.Helper()
	c, ok := s.Registry.ClientByID(id)
	if !ok {
		t.Fatalf("there is no client %s", id)
	}
	return c
}

func as(id, pin string) clientauth.Presented {
	return clientauth.Presented{ClientID: id, Peer: rules.Peer{Thumbprint: pin}, Endpoint: "https://issuer.example/x"}
}

func (w *whole) token(t *testing.T) string {
	t.Helper()
	answer, refusal := w.Issue(t.Context(), request(func(*tokenservice.Request) {}), &tokenservice.Event{})
	if refusal != nil {
		t.Fatal(refusal)
	}
	return answer.AccessToken
}

// tokenOfPod is one that a pod asked for.
func (w *whole) tokenOfPod(t *testing.T, change func(*rules.Request)) string {
	t.Helper()
	c := first(t, w.Service, "shop/checkout").DeepCopy()
	c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "checkout"}}
	w.Registry.ApplyClient(c)
	r := rules.Request{
		GrantType: oauth.GrantClientCredentials, Peer: rules.Peer{Thumbprint: pinned},
		Workload: &rules.Workload{Namespace: "shop", ServiceAccount: "checkout", ServiceAccountUID: "s", Pod: "p", PodUID: "u"},
	}
	change(&r)
	approval, refusal := rules.Decide(w.Registry.Facts(c, "api://open"), r, w.at)
	if refusal != nil {
		t.Fatal(refusal)
	}
	token, err := w.Minter.Mint(approval)
	if err != nil {
		t.Fatal(err)
	}
	return token.Value
}

// requireTheMark has the client accept injected pods only.
func (w *whole) requireTheMark() {
	c, _ := w.Registry.ClientByID("shop/checkout")
	c = c.DeepCopy()
	c.Spec.Authentication.ServiceAccounts[0].Admission = v1alpha1.AdmissionRequired
	w.Registry.ApplyClient(c)
}

func (w *whole) introspect(t *testing.T, who clientauth.Presented, token string) (tokenservice.Introspection, tokenservice.Event) {
	t.Helper()
	var event tokenservice.Event
	answer, refusal := w.Introspect(t.Context(), tokenservice.IntrospectionRequest{Presented: who, Token: token}, &event)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return answer, event
}

func TestIntrospectTellsOfALivingToken(t *testing.T) {
	w := newWhole(t)
	token := w.tokenOfPod(t, func(*rules.Request) {})
	for name, who := range map[string]clientauth.Presented{"the client": as("shop/checkout", pinned), "the API's owner": as("open/checkout", ownersPin)} {
		got, event := w.introspect(t, who, token)
		if !got.Active || got.ClientID != "shop/checkout" || got.Subject != "shop/checkout" || got.Audience != "api://open" || got.Tenant != "shop" ||
			got.X5TS256 != pinned || got.TokenType != oauth.TokenBearer || !got.Expiry.Equal(now.Add(10*time.Minute)) || got.TokenID == "" || event.TokenID != got.TokenID {
			t.Errorf("%s reads %+v", name, got)
		}
	}
}

func TestIntrospectIsInactive(t *testing.T) {
	flip := func(s string) string {
		i := len(s) - 10
		c := byte('A')
		if s[i] == c {
			c = 'B'
		}
		return s[:i] + string(c) + s[i+1:]
	}
	for name, tc := range map[string]struct {
		who    clientauth.Presented
		change func(w *whole)
		token  func(token string) string
		why    string
	}{
		"for a neighbour":                {who: as("evil/checkout", neighboursPin), why: "token_of_others"},
		"a token that is none":           {token: func(string) string { return "x" }, why: "token_not_valid"},
		"a token with another signature": {token: flip, why: "token_not_valid"},
		"a token with bytes appended":    {token: func(s string) string { return s + "AA" }, why: "token_not_valid"},
		"once it has ended":              {change: func(w *whole) { w.at = now.Add(10 * time.Minute) }, why: "token_not_valid"},
		"once its pod is gone":           {change: func(w *whole) { w.pods.podUID = "another" }, why: "pod_gone"},
		"once only injected pods count":  {who: as("open/checkout", ownersPin), change: (*whole).requireTheMark, why: "pod_not_admitted"},
		"once its client is gone":        {who: as("open/checkout", ownersPin), change: func(w *whole) { w.Registry.DeleteClient("shop", "checkout") }, why: "client_gone"},
		"once its pin is gone":           {who: as("open/checkout", ownersPin), change: func(w *whole) { w.Registry.DeleteCertificate("shop", "checkout") }, why: "pin_gone"},
		"once its resource is gone":      {change: func(w *whole) { w.Registry.DeleteResource("open", "open") }, why: "resource_gone"},
		"once its key was dropped": {change: func(w *whole) {
			if err := w.Minter.Keys.Set(keyring.Ring{}); err != nil {
				panic(err)
			}
		}, why: "token_not_valid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWhole(t)
			token := w.tokenOfPod(t, func(*rules.Request) {})
			if tc.change != nil {
				tc.change(w)
			}
			if tc.token != nil {
				token = tc.token(token)
			}
			if tc.who.ClientID == "" {
				tc.who = as("shop/checkout", pinned)
			}
			got, event := w.introspect(t, tc.who, token)
			if got.Active || got.ClientID != "" || got.Expiry != (time.Time{}) || event.Inactive != tc.why {
				t.Errorf("got %+v, inactive for %q, want %q", got, event.Inactive, tc.why)
			}
		})
	}
}

func TestRefusesIntrospection(t *testing.T) {
	w := newWhole(t)
	token := w.tokenOfPod(t, func(*rules.Request) {})
	busy := oauth.NewError(oauth.ErrTooManyRequests, "")
	for name, tc := range map[string]struct {
		r    tokenservice.IntrospectionRequest
		pods error
		want oauth.Number
	}{
		"without a token":                       {r: tokenservice.IntrospectionRequest{Presented: as("shop/checkout", pinned)}, want: oauth.ErrMissingParameter},
		"of a stranger":                         {r: tokenservice.IntrospectionRequest{Presented: as("shop/checkout", ownersPin), Token: token}, want: oauth.ErrIdentity},
		"of nobody":                             {r: tokenservice.IntrospectionRequest{Token: token}, want: oauth.ErrNoMethod},
		"of one who asks too often":             {r: tokenservice.IntrospectionRequest{Presented: as("shop/checkout", pinned), Token: token, Admit: func(string) *oauth.Error { return busy }}, want: oauth.ErrTooManyRequests},
		"that cannot be told for lack of sight": {r: tokenservice.IntrospectionRequest{Presented: as("shop/checkout", pinned), Token: token}, pods: errors.New("no answer"), want: oauth.ErrCannotLookUp},
	} {
		t.Run(name, func(t *testing.T) {
			w.pods.fail = tc.pods
			got, refusal := w.Introspect(t.Context(), tc.r, &tokenservice.Event{})
			if refusal == nil || refusal.Number != tc.want || got.Active {
				t.Errorf("got %+v, %v, want %d", got, refusal, tc.want)
			}
		})
	}
}

// Who proves itself by other means, and comes with a certificate that is not its own,
// is refused at every endpoint.
func TestRefusesCertificateOfAnotherBesideASecret(t *testing.T) {
	w := newWhole(t)
	w.Authenticator.Secrets = true
	sum := sha256.Sum256([]byte("secret"))
	c := first(t, w.Service, "shop/checkout").DeepCopy()
	c.Spec.Authentication.ClientSecret = &v1alpha1.ClientSecretCredential{Methods: []v1alpha1.ClientSecretMethod{v1alpha1.MethodClientSecretPost}}
	c.Status.ClientSecrets = []v1alpha1.ClientSecretStatus{{
		Hash: "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:]), ExpiresAt: metav1.NewTime(now.Add(time.Hour)),
	}}
	w.Registry.ApplyClient(c)
	for pin, want := range map[string]oauth.Number{pinned: 0, ownersPin: oauth.ErrCertificateNotPinned} {
		who := as("shop/checkout", pin)
		who.Secret, who.SecretMethod = "secret", oauth.AuthClientSecretPost
		_, issue := w.Issue(t.Context(), request(func(r *tokenservice.Request) { r.Presented = who }), &tokenservice.Event{})
		_, introspect := w.Introspect(t.Context(), tokenservice.IntrospectionRequest{Presented: who, Token: "x"}, &tokenservice.Event{})
		revoke := w.Revoke(t.Context(), tokenservice.RevocationRequest{Presented: who, Token: "x"}, &tokenservice.Event{})
		for name, refusal := range map[string]*oauth.Error{"issue": issue, "introspect": introspect, "revoke": revoke} {
			var got oauth.Number
			if refusal != nil {
				got = refusal.Number
			}
			if got != want {
				t.Errorf("%s with %s: %v, want %d", name, pin, refusal, want)
			}
		}
	}
}

func TestRevoke(t *testing.T) {
	w := newWhole(t)
	revoke := func(who clientauth.Presented, token string) (oauth.Number, string) {
		var event tokenservice.Event
		if e := w.Revoke(t.Context(), tokenservice.RevocationRequest{Presented: who, Token: token}, &event); e != nil {
			return e.Number, event.Inactive
		}
		return 0, event.Inactive
	}
	self, token := as("shop/checkout", pinned), w.token(t)
	if n, _ := revoke(self, ""); n != oauth.ErrMissingParameter {
		t.Errorf("no token: %d", n)
	}
	if n, _ := revoke(as("shop/checkout", ownersPin), token); n != oauth.ErrIdentity {
		t.Errorf("a stranger: %d", n)
	}
	if n, _ := revoke(as("evil/checkout", neighboursPin), token); n != oauth.ErrNotOwnToken {
		t.Errorf("a neighbour: %d", n)
	}
	if n, why := revoke(self, "x"); n != 0 || why != "token_not_valid" {
		t.Errorf("what is no token: %d %s", n, why)
	}
	w.store.fail = errors.New("no answer")
	if n, _ := revoke(self, token); n != oauth.ErrCannotLookUp {
		t.Errorf("what could not be stored: %d", n)
	}
	w.store.fail = nil
	if got, _ := w.introspect(t, self, token); !got.Active {
		t.Error("a token that was not revoked is inactive")
	}
	if n, _ := revoke(self, token); n != 0 {
		t.Errorf("its own: %d", n)
	}
	if got, event := w.introspect(t, self, token); got.Active || event.Inactive != "revoked" {
		t.Errorf("a revoked token is %+v, %q", got, event.Inactive)
	}
	if n, why := revoke(self, token); n != 0 || why != "revoked" {
		t.Errorf("once more: %d %s", n, why)
	}
	if n, _ := revoke(self, w.token(t)); n != 0 {
		t.Errorf("a second one: %d", n)
	}
	if n, _ := revoke(self, w.token(t)); n != oauth.ErrRevocationQuota {
		t.Errorf("one more than the quota: %d", n)
	}
	w.Registry.DeleteRevocation("lanyard-system", func() string { _, e := w.introspect(t, self, token); return e.TokenID }())
	if n, _ := revoke(self, w.token(t)); n != 0 {
		t.Errorf("once one was removed: %d", n)
	}
}
