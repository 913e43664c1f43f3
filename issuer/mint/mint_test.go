package mint_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 500e6, time.UTC)

const thumbprint = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func approval(t *testing.T) rules.Approval {
	t.Helper()
	return approvalAt(t, now)
}

// approvalAt asks rules.Decide for one, since nothing else can make it.
func approvalAt(t *testing.T, now time.Time) rules.Approval {
	t.Helper()
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	r := registry.New("cluster.local")
	r.ApplyNamespace(rules.ParseNamespace("shop", nil, nil))
	r.ApplyNamespace(rules.ParseNamespace("orders", nil, nil))
	c := &v1alpha1.OAuthClient{ObjectMeta: meta("shop", "checkout"), Spec: v1alpha1.OAuthClientSpec{
		GrantTypes: []v1alpha1.GrantType{"client_credentials"}, TokenBinding: v1alpha1.TokenBindingMTLS,
		Roles: []v1alpha1.RoleReference{{Namespace: "orders", Name: "read"}},
	}}
	r.ApplyClient(c)
	r.ApplyCertificate(&v1alpha1.ClientCertificate{
		ObjectMeta: meta("shop", "checkout"),
		Spec:       v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: "checkout"}},
		Status:     v1alpha1.ClientCertificateStatus{Pins: []v1alpha1.Pin{{Thumbprint: thumbprint, NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(time.Hour))}}},
	})
	r.ApplyResource(&v1alpha1.ProtectedResource{ObjectMeta: meta("orders", "orders"), Spec: v1alpha1.ProtectedResourceSpec{Identifier: "api://orders"}})
	r.ApplyRole(&v1alpha1.AppRole{ObjectMeta: meta("orders", "read"), Spec: v1alpha1.AppRoleSpec{ResourceRef: v1alpha1.LocalReference{Name: "orders"}, Value: "Orders.Read.All"}})
	r.ApplyAssignment(&v1alpha1.AppRoleAssignment{ObjectMeta: meta("orders", "a"), Spec: v1alpha1.AppRoleAssignmentSpec{
		RoleRef: v1alpha1.LocalReference{Name: "read"}, ClientRef: &v1alpha1.ClientReference{Namespace: "shop", Name: "checkout"}, Decision: v1alpha1.DecisionApproved,
	}})
	a, refusal := rules.Decide(r.Facts(c, "api://orders"), rules.Request{
		GrantType: oauth.GrantClientCredentials, Ask: rules.Ask{Identifier: "api://orders"}, Peer: rules.Peer{Thumbprint: thumbprint},
		Workload: &rules.Workload{Namespace: "shop", ServiceAccount: "checkout", ServiceAccountUID: "sa-uid", Pod: "checkout-0", PodUID: "pod-uid"},
	}, now)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return a
}

func newKey(t *testing.T, algorithm keyring.Algorithm, signsFrom time.Time) keyring.Key {
	t.Helper()
	var private crypto.Signer
	var err error
	switch algorithm {
	case keyring.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case keyring.RS256, keyring.PS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
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
	return keyring.Key{ID: id, Algorithm: algorithm, PrivateKeyPKCS8: pkcs8, CreatedAt: signsFrom, SignsFrom: signsFrom}
}

func minter(t *testing.T, keys ...keyring.Key) *mint.Minter {
	t.Helper()
	k := mint.NewKeys()
	if err := k.Set(keyring.Ring{Keys: keys}); err != nil {
		t.Fatal(err)
	}
	return &mint.Minter{Issuer: "https://issuer.example", Keys: k, Random: rand.Reader}
}

func TestTokenIsWhatWasDecidedAndVerifiesWithAnotherLibrary(t *testing.T) {
	for _, algorithm := range keyring.Algorithms() {
		t.Run(string(algorithm), func(t *testing.T) {
			m := minter(t, newKey(t, algorithm, now.Add(-time.Hour)))
			m.Random = strings.NewReader("0123456789abcdef")
			token, err := m.Mint(approval(t))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := m.Keys.JWKS(now)
			set, err := jwk.Parse(body)
			if err != nil {
				t.Fatal(err)
			}
			payload, err := jws.Verify([]byte(token.Value), jws.WithKeySet(set))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(payload, &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"iss": "https://issuer.example", "aud": "api://orders", "tid": "shop",
				"sub": "shop/checkout", "client_id": "shop/checkout", "appid": "shop/checkout", "azp": "shop/checkout",
				"iat": float64(now.Unix()), "nbf": float64(now.Unix()), "exp": float64(now.Unix() + 600),
				"jti": "MDEyMzQ1Njc4OWFiY2RlZg", "roles": []any{"Orders.Read.All"}, "scope": "api://orders/Orders.Read.All",
				"cnf": map[string]any{"x5t#S256": thumbprint},
				"kubernetes.io": map[string]any{
					"namespace":      "shop",
					"serviceaccount": map[string]any{"name": "checkout", "uid": "sa-uid"},
					"pod":            map[string]any{"name": "checkout-0", "uid": "pod-uid"},
				},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if printed := fmt.Sprintf("%v %+v %s", token, token, token); strings.Contains(printed, token.Value) {
				t.Error("a printed token shows its value")
			}
		})
	}
}

func TestRefusesAnApprovalThatNobodyDecided(t *testing.T) {
	m := minter(t, newKey(t, keyring.ES256, now))
	if token, err := m.Mint(rules.Approval{}); err == nil || token.Value != "" {
		t.Errorf("minted %q without a decision", token.ID)
	}
}

func TestWithoutAKeyTheIssuerIsNotReady(t *testing.T) {
	m := &mint.Minter{Issuer: "https://issuer.example", Keys: mint.NewKeys(), Random: rand.Reader}
	if m.Keys.Ready(now) {
		t.Error("ready without a key")
	}
	if _, err := m.Mint(approval(t)); oauth.AsError(err).Number != oauth.ErrNotReady {
		t.Errorf("got %v, want ErrNotReady", err)
	}
}

func TestWithoutRandomnessNothingIsSigned(t *testing.T) {
	m := minter(t, newKey(t, keyring.ES256, now.Add(-time.Hour)))
	m.Random = bytes.NewReader(nil)
	if _, err := m.Mint(approval(t)); err == nil {
		t.Error("minted a token without a random jti")
	}
}

func TestANextKeyIsPublishedBeforeItSigns(t *testing.T) {
	first, next := newKey(t, keyring.ES256, now.Add(-time.Hour)), newKey(t, keyring.ES256, now.Add(time.Hour))
	m := minter(t, first, next)
	body, etag := m.Keys.JWKS(now)
	if !bytes.Contains(body, []byte(first.ID)) || !bytes.Contains(body, []byte(next.ID)) || etag == "" {
		t.Errorf("the JWKS is %s with tag %s", body, etag)
	}
	if again, same := m.Keys.JWKS(now.Add(time.Minute)); &again[0] != &body[0] || same != etag {
		t.Error("the same keys were rendered again")
	}
	token, err := m.Mint(approval(t))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseUnverified(token.Value)
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Header.KeyID != first.ID {
		t.Errorf("signed by %s, want %s", parsed.Header.KeyID, first.ID)
	}
	if err := m.Keys.Set(keyring.Ring{Keys: []keyring.Key{{ID: "broken", Algorithm: keyring.ES256}}}); err == nil || !m.Keys.Ready(now) {
		t.Errorf("a broken ring was taken, or put out the good one: %v", err)
	}
}
