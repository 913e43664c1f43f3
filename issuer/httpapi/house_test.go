package httpapi_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/replay"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// house is the whole issuer, on fakes of the API server alone.
type house struct {
	*running
	registry  *registry.Registry
	cluster   *fakeCluster
	workloads *fakeWorkloads
	keys      *mint.Keys
	health    *fakeHealth
}

func newHouse(t testing.TB, edits ...func(*httpapi.Config)) *house {
	t.Helper()
	h := &house{
		registry: registry.New("cluster.local"),
		cluster:  &fakeCluster{},
		keys:     mint.NewKeys(),
		health:   &fakeHealth{},
		workloads: &fakeWorkloads{
			accounts: map[string]string{"shop/checkout": "sa-1", "shop/billing": "sa-2", "evil/checkout": "sa-3"},
			pods: map[string]clientauth.Pod{
				"shop/checkout-1/pod-1": {}, "shop/billing-1/pod-2": {}, "evil/checkout-1/pod-3": {},
			},
		},
	}
	id := must(jose.Thumbprint(signingKey().Public()))
	if err := h.keys.Set(keyring.Ring{Keys: []keyring.Key{{
		ID: id, Algorithm: keyring.ES256, PrivateKeyPKCS8: must(x509.MarshalPKCS8PrivateKey(signingKey())),
		CreatedAt: noon.Add(-time.Hour), SignsFrom: noon.Add(-time.Hour),
	}}}); err != nil {
		t.Fatal(err)
	}
	h.declare()
	h.running = start(t, func(issuer string, now func() time.Time, c *httpapi.Config) {
		c.Keys, c.Health, c.Sizes = h.keys, h.health, h.registry.Sizes
		authenticator := &clientauth.Authenticator{Registry: h.registry, Cluster: h.cluster, Workloads: h.workloads, Audience: issuer, Replay: replay.New(1000, 100)}
		c.Service = &tokenservice.Service{
			Authenticator: authenticator,
			Registry:      h.registry,
			Minter:        &mint.Minter{Issuer: issuer, Keys: h.keys, Random: rand.Reader},
			Replay:        replay.New(1000, 100),
			Revocations:   h, RevocationQuota: 100,
			Now: now,
		}
		for _, edit := range edits {
			edit(c)
		}
		authenticator.Secrets = c.Secrets
	}, httpapi.ServerConfig{})
	return h
}

// Revoke makes the house a store of revocations that is read at once.
func (h *house) Revoke(_ context.Context, t tokenservice.RevokedToken, _ int) (bool, error) {
	h.registry.ApplyRevocation(&v1alpha1.TokenRevocation{
		ObjectMeta: meta("lanyard-system", t.ID),
		Spec: v1alpha1.TokenRevocationSpec{
			ExpiresAt: metav1.NewTime(t.ExpiresAt),
			Tokens:    []v1alpha1.RevokedToken{{ClientID: t.ClientID, JTI: t.ID, ExpiresAt: metav1.NewTime(t.ExpiresAt)}},
		},
	})
	return true, nil
}

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-24 * time.Hour))}
}

// oauthClient is OAuthClient shop/<name>, changed.
func oauthClient(name string, changes ...func(*v1alpha1.OAuthClient)) *v1alpha1.OAuthClient {
	c := &v1alpha1.OAuthClient{ObjectMeta: meta("shop", name), Spec: v1alpha1.OAuthClientSpec{
		GrantTypes:   []v1alpha1.GrantType{"client_credentials"},
		TokenBinding: v1alpha1.TokenBindingMTLS,
		Authentication: v1alpha1.ClientAuthentication{
			ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: name, BoundTo: v1alpha1.BoundToPod, Admission: v1alpha1.AdmissionOptional}},
			Certificate:     &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodTLSClientAuth}},
		},
		Roles: []v1alpha1.RoleReference{{Namespace: "orders", Name: "read"}},
	}}
	for _, change := range changes {
		change(c)
	}
	return c
}

// pinned is ClientCertificate shop/<name> with a pin of cert, changed.
func pinned(name string, cert tls.Certificate, changes ...func(*v1alpha1.ClientCertificate)) *v1alpha1.ClientCertificate {
	cc := &v1alpha1.ClientCertificate{
		ObjectMeta: meta("shop", name),
		Spec:       v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: name}},
		Status: v1alpha1.ClientCertificateStatus{Pins: []v1alpha1.Pin{{
			Thumbprint: thumbprintOf(cert), State: v1alpha1.PinCurrent,
			NotBefore: metav1.NewTime(noon.Add(-time.Hour)), NotAfter: metav1.NewTime(noon.Add(time.Hour)),
		}}},
	}
	for _, change := range changes {
		change(cc)
	}
	return cc
}

// declare applies the story: checkout and billing of shop may read orders.
func (h *house) declare() {
	for _, name := range []string{"shop", "orders", "evil"} {
		h.registry.ApplyNamespace(rules.ParseNamespace(name, nil, nil))
	}
	h.registry.ApplyResource(&v1alpha1.ProtectedResource{ObjectMeta: meta("orders", "orders"), Spec: v1alpha1.ProtectedResourceSpec{
		Identifier: identifier, Assignment: v1alpha1.AssignmentRequired, TokenBindingPolicy: v1alpha1.TokenBindingRequired,
	}})
	h.registry.ApplyRole(&v1alpha1.AppRole{ObjectMeta: meta("orders", "read"), Spec: v1alpha1.AppRoleSpec{
		ResourceRef: v1alpha1.LocalReference{Name: "orders"}, Value: "Orders.Read.All",
	}})
	for name, cert := range map[string]tls.Certificate{"checkout": checkoutCert(), "billing": billingCert()} {
		h.registry.ApplyClient(oauthClient(name))
		h.registry.ApplyCertificate(pinned(name, cert))
		h.registry.ApplyAssignment(&v1alpha1.AppRoleAssignment{ObjectMeta: meta("orders", name), Spec: v1alpha1.AppRoleAssignmentSpec{
			RoleRef: v1alpha1.LocalReference{Name: "read"}, ClientRef: &v1alpha1.ClientReference{Namespace: "shop", Name: name}, Decision: v1alpha1.DecisionApproved,
		}})
	}
}

// claims are those of a projected token of pod checkout-1.
func (h *house) claims(with ...jwt.MapClaims) jwt.MapClaims {
	now := h.clock.now()
	c := jwt.MapClaims{
		"iss": clusterIssuer, "aud": []string{h.url}, "sub": "system:serviceaccount:shop:checkout", "jti": "x",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      "shop",
			"serviceaccount": map[string]any{"name": "checkout", "uid": "sa-1"},
			"pod":            map[string]any{"name": "checkout-1", "uid": "pod-1"},
			"node":           map[string]any{"name": "node-1", "uid": "node-uid"},
		},
	}
	for _, w := range with {
		maps.Copy(c, w)
	}
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// sign is how the API server signs.
func sign(c jwt.Claims, header ...map[string]any) string {
	return signWith(jwt.SigningMethodRS256, clusterKey(), c, header...)
}

func signWith(method jwt.SigningMethod, key any, c jwt.Claims, header ...map[string]any) string {
	token := jwt.NewWithClaims(method, c)
	delete(token.Header, "typ") // the API server writes none
	token.Header["kid"] = clusterKid
	for _, h := range header {
		maps.Copy(token.Header, h)
	}
	maps.DeleteFunc(token.Header, func(_ string, v any) bool { return v == nil })
	return must(token.SignedString(key))
}

// federatedForm is a token request with an assertion.
func federatedForm(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope},
		"client_assertion_type": {oauth.AssertionTypeJWTBearer}, "client_assertion": {assertion},
	}
}

// mtlsForm is a token request over mutual TLS.
func mtlsForm(clientID string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, "client_id": {clientID}}
}

// token posts form on a connection with the given certificates.
func (h *house) token(t testing.TB, form url.Values, certs ...tls.Certificate) reply {
	t.Helper()
	return send(t, client(t, certs...), request(t, http.MethodPost, h.url+"/oauth2/token", form.Encode(), nil))
}
