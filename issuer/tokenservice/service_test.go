package tokenservice_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

const pinned = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// nowhere is a cluster that must not be asked: these tests use certificates.
type nowhere struct{ t *testing.T }

func (n nowhere) Issuers() []string { return nil }

func (n nowhere) Keys(context.Context, string) (jose.KeySet, error) {
	n.t.Error("unexpected call of Keys")
	return nil, nil
}

func (n nowhere) ServiceAccount(context.Context, string, string, string) (bool, error) {
	n.t.Error("unexpected call of ServiceAccount")
	return false, nil
}

func (n nowhere) Pod(context.Context, string, string, string) (clientauth.Pod, bool, error) {
	n.t.Error("unexpected call of Pod")
	return clientauth.Pod{}, false, nil
}

// service has one client with one pinned certificate, and no key to sign with: a
// request that gets as far as the signature ends with ErrNotReady.
func service(t *testing.T) *tokenservice.Service {
	t.Helper()
	r := registry.New("cluster.local")
	r.ApplyNamespace(rules.ParseNamespace("shop", nil, nil))
	r.ApplyNamespace(rules.ParseNamespace("open", nil, nil))
	r.ApplyClient(&v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"},
		Spec: v1alpha1.OAuthClientSpec{
			GrantTypes: []v1alpha1.GrantType{"client_credentials"}, TokenBinding: v1alpha1.TokenBindingMTLS,
			Authentication: v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth}}},
		},
	})
	r.ApplyCertificate(&v1alpha1.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"},
		Spec:       v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: "checkout"}},
		Status:     v1alpha1.ClientCertificateStatus{Pins: []v1alpha1.Pin{{Thumbprint: pinned, NotBefore: metav1.NewTime(now), NotAfter: metav1.NewTime(now.Add(time.Hour))}}},
	})
	r.ApplyResource(&v1alpha1.ProtectedResource{
		ObjectMeta: metav1.ObjectMeta{Namespace: "open", Name: "open"},
		Spec:       v1alpha1.ProtectedResourceSpec{Identifier: "api://open", Assignment: v1alpha1.AssignmentOptional},
	})
	return &tokenservice.Service{
		Authenticator: &clientauth.Authenticator{Registry: r, Cluster: nowhere{t}, Workloads: nowhere{t}, Audience: "https://issuer.example"},
		Registry:      r,
		Minter:        &mint.Minter{Issuer: "https://issuer.example", Keys: mint.NewKeys(), Random: rand.Reader},
		Now:           func() time.Time { return now },
	}
}

func request(change func(*tokenservice.Request)) tokenservice.Request {
	r := tokenservice.Request{
		GrantType: oauth.GrantClientCredentials,
		Presented: clientauth.Presented{ClientID: "shop/checkout", Peer: rules.Peer{Thumbprint: pinned}},
		Scope:     "api://open/.default",
	}
	change(&r)
	return r
}

func TestIssueRefusesInTheOrderOfTheSpecification(t *testing.T) {
	busy := func(string) *oauth.Error { return oauth.NewError(oauth.ErrTooManyRequests, "") }
	for name, tc := range map[string]struct {
		change func(*tokenservice.Request)
		want   oauth.Number
	}{
		"a good request gets as far as the signature": {func(*tokenservice.Request) {}, oauth.ErrNotReady},
		"no grant type":                                     {func(r *tokenservice.Request) { r.GrantType = "" }, oauth.ErrMissingParameter},
		"a grant type that is not served":                   {func(r *tokenservice.Request) { r.GrantType = "password" }, oauth.ErrUnsupportedGrantType},
		"a token type that is not served":                   {func(r *tokenservice.Request) { r.TokenType = "DPoP" }, oauth.ErrTokenType},
		"a scope that cannot be read, before who asks":      {func(r *tokenservice.Request) { r.Scope, r.Presented.ClientID = "x", "shop/nobody" }, oauth.ErrScopeSyntax},
		"who asks, before what for":                         {func(r *tokenservice.Request) { r.Scope, r.Presented.ClientID = "api://x/y", "shop/nobody" }, oauth.ErrIdentity},
		"too much, once it is known who asks":               {func(r *tokenservice.Request) { r.Admit = busy; r.Scope = "api://x/y" }, oauth.ErrTooManyRequests},
		"a stranger does not use up what is somebody's own": {func(r *tokenservice.Request) { r.Admit = busy; r.Presented.ClientID = "shop/nobody" }, oauth.ErrIdentity},
		"no scope, and no resource that is the client's":    {func(r *tokenservice.Request) { r.Scope = "" }, oauth.ErrNoScope},
		"an unknown resource":                               {func(r *tokenservice.Request) { r.Scope, r.Resource = "", "api://x" }, oauth.ErrNoSuchResource},
	} {
		t.Run(name, func(t *testing.T) {
			var event tokenservice.Event
			answer, refusal := service(t).Issue(t.Context(), request(tc.change), &event)
			if refusal == nil || refusal.Number != tc.want || answer.AccessToken != "" {
				t.Errorf("got %v, want %d", refusal, tc.want)
			}
			if authenticated := event.Method != ""; authenticated != (tc.want == oauth.ErrNotReady || tc.want == oauth.ErrTooManyRequests || tc.want == oauth.ErrNoScope || tc.want == oauth.ErrNoSuchResource) {
				t.Errorf("the event says that it authenticated by %q", event.Method)
			}
		})
	}
}
