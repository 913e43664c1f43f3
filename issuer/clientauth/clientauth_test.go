package clientauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

const (
	cluster  = "https://kubernetes.default.svc"
	audience = "https://issuer.example"
	pinned   = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	imported = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// world is a cluster with one service account, one pod and one signing key. A
// look-up that a test does not expect fails it.
type world struct {
	t      *testing.T
	signer *jose.Signer
	// keysErr, accountErr and podErr are what could not be looked up.
	keysErr, accountErr, podErr error
	pod                         clientauth.Pod
	podGone                     bool
	// noLookUps fails the test on any look-up.
	noLookUps bool
}

func (w *world) Issuers() []string { return []string{cluster} }

func (w *world) Keys(context.Context, string) (jose.KeySet, error) {
	w.lookUp("keys")
	if w.keysErr != nil {
		return nil, w.keysErr
	}
	return jose.Keys{"k1": w.signer.Key()}, nil
}

func (w *world) ServiceAccount(_ context.Context, namespace, name, uid string) (bool, error) {
	w.lookUp("service account")
	return namespace == "shop" && (name == "app" || name == "batch") && uid == "sa-uid", w.accountErr
}

func (w *world) Pod(_ context.Context, namespace, name, uid string) (clientauth.Pod, bool, error) {
	w.lookUp("pod")
	return w.pod, namespace == "shop" && name == "app-0" && uid == "pod-uid" && !w.podGone, w.podErr
}

func (w *world) lookUp(what string) {
	if w.noLookUps {
		w.t.Errorf("unexpected look-up: %s", what)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner("k1", jose.ES256, private)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, signer: signer}
}

// claims of a good token of service account app in pod app-0; change says what is
// different.
func (w *world) token(change func(claims, kubernetes map[string]any)) string {
	w.t.Helper()
	kubernetes := map[string]any{
		"namespace":      "shop",
		"serviceaccount": map[string]any{"name": "app", "uid": "sa-uid"},
		"pod":            map[string]any{"name": "app-0", "uid": "pod-uid"},
		"node":           map[string]any{"name": "node-1", "uid": "node-uid"},
	}
	claims := map[string]any{
		"iss": cluster, "aud": []string{audience}, "sub": "system:serviceaccount:shop:app",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "nbf": now.Unix(), "kubernetes.io": kubernetes,
	}
	if change != nil {
		change(claims, kubernetes)
	}
	token, err := w.signer.Sign("JWT", claims)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func clients() *registry.Registry {
	r := registry.New("cluster.local")
	r.ApplyNamespace(rules.ParseNamespace("shop", nil, nil))
	add := func(name string, change func(*v1alpha1.OAuthClientSpec)) {
		c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		change(&c.Spec)
		r.ApplyClient(c)
	}
	pin := func(client, thumbprint, pem string) {
		r.ApplyCertificate(&v1alpha1.ClientCertificate{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: client + thumbprint[:1]},
			Spec:       v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: client}, PEM: pem},
			Status: v1alpha1.ClientCertificateStatus{Pins: []v1alpha1.Pin{{
				Thumbprint: thumbprint, NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(time.Hour)),
			}}},
		})
	}
	methods := func(m ...v1alpha1.CertificateMethod) *v1alpha1.CertificateCredential {
		return &v1alpha1.CertificateCredential{Methods: m}
	}
	add("checkout", func(s *v1alpha1.OAuthClientSpec) {
		s.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "app", BoundTo: v1alpha1.BoundToPod}}
		s.Authentication.Certificate = methods(v1alpha1.MethodTLSClientAuth)
	})
	pin("checkout", pinned, "")
	pin("checkout", imported, "-----BEGIN CERTIFICATE-----")
	add("selfsigned", func(s *v1alpha1.OAuthClientSpec) {
		s.Authentication.Certificate = methods(v1alpha1.MethodSelfSignedTLSClientAuth)
	})
	pin("selfsigned", imported, "-----BEGIN CERTIFICATE-----")
	add("federated", func(s *v1alpha1.OAuthClientSpec) {
		s.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "other", BoundTo: v1alpha1.BoundToPod}}
	})
	pin("federated", pinned, "")
	for _, name := range []string{"batch-a", "batch-b"} {
		add(name, func(s *v1alpha1.OAuthClientSpec) {
			s.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "batch", BoundTo: v1alpha1.BoundToAny}}
		})
	}
	// Neither works, and neither makes the choice hard for checkout.
	add("not-allowed", func(s *v1alpha1.OAuthClientSpec) {
		s.ClientID = "somebody-elses"
		s.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "app", BoundTo: v1alpha1.BoundToPod}}
	})
	add("suspended", func(s *v1alpha1.OAuthClientSpec) {
		s.Suspend = true
		s.Authentication.Certificate = methods(v1alpha1.MethodTLSClientAuth)
	})
	pin("suspended", pinned, "")
	return r
}

func TestAuthenticate(t *testing.T) {
	unbound := func(_, k map[string]any) { delete(k, "pod"); delete(k, "node") }
	batch := func(c, k map[string]any) {
		unbound(c, k)
		c["sub"], k["serviceaccount"] = "system:serviceaccount:shop:batch", map[string]any{"name": "batch", "uid": "sa-uid"}
	}
	type test struct {
		presented clientauth.Presented
		token     func(claims, kubernetes map[string]any)
		world     func(*world)
		client    string
		method    oauth.AuthMethod
		number    oauth.Number
		reason    string
	}
	assertion := clientauth.Presented{Assertion: "token", AssertionType: oauth.AssertionTypeJWTBearer}
	with := func(change func(*clientauth.Presented)) clientauth.Presented { p := assertion; change(&p); return p }
	certificate := func(client, thumbprint string) clientauth.Presented {
		return clientauth.Presented{ClientID: client, Peer: rules.Peer{Thumbprint: thumbprint}}
	}
	for name, tc := range map[string]test{
		"a pod's token authenticates its client":          {presented: assertion, client: "shop/checkout", method: oauth.AuthPrivateKeyJWT},
		"and with client_id, which must agree":            {presented: with(func(p *clientauth.Presented) { p.ClientID = "shop/checkout" }), client: "shop/checkout", method: oauth.AuthPrivateKeyJWT},
		"a clock that is 5 s ahead is accepted":           {presented: assertion, token: func(c, _ map[string]any) { c["iat"], c["nbf"] = now.Unix()+5, now.Unix()+5 }, client: "shop/checkout", method: oauth.AuthPrivateKeyJWT},
		"a pod that drains is accepted":                   {presented: assertion, world: func(w *world) { w.pod.DeletionTimestamp = now.Add(time.Second) }, client: "shop/checkout", method: oauth.AuthPrivateKeyJWT},
		"a token bound to nothing, where that is allowed": {presented: with(func(p *clientauth.Presented) { p.ClientID = "shop/batch-b" }), token: batch, client: "shop/batch-b", method: oauth.AuthPrivateKeyJWT},
		"a pinned certificate authenticates":              {presented: certificate("shop/checkout", pinned), client: "shop/checkout", method: oauth.AuthTLSClient},
		"an imported one by the self-signed method":       {presented: certificate("shop/selfsigned", imported), client: "shop/selfsigned", method: oauth.AuthSelfSignedTLSClient},

		"nothing is presented":                   {number: oauth.ErrNoMethod},
		"a client_id alone":                      {presented: clientauth.Presented{ClientID: "shop/checkout"}, number: oauth.ErrNoMethod},
		"a certificate without client_id":        {presented: clientauth.Presented{Peer: rules.Peer{Thumbprint: pinned}}, number: oauth.ErrMissingParameter},
		"an assertion without its type":          {presented: with(func(p *clientauth.Presented) { p.AssertionType = "" }), number: oauth.ErrMissingParameter},
		"an assertion type without an assertion": {presented: clientauth.Presented{AssertionType: oauth.AssertionTypeJWTBearer}, number: oauth.ErrMissingParameter},
		"an assertion of another type":           {presented: with(func(p *clientauth.Presented) { p.AssertionType = "urn:x" }), number: oauth.ErrAssertionType},
		"an assertion and a secret":              {presented: with(func(p *clientauth.Presented) { p.OtherAuthorization = true }), number: oauth.ErrTwoMethods},
		"a certificate and a secret":             {presented: clientauth.Presented{ClientID: "shop/checkout", OtherAuthorization: true, Peer: rules.Peer{Thumbprint: pinned}}, number: oauth.ErrTwoMethods},
		"a secret":                               {presented: clientauth.Presented{ClientID: "shop/checkout", OtherAuthorization: true}, number: oauth.ErrNoMethod},
		"an unknown client":                      {presented: certificate("shop/nobody", pinned), number: oauth.ErrIdentity, reason: "unknown_client"},
		"a suspended client":                     {presented: certificate("shop/suspended", pinned), number: oauth.ErrIdentity, reason: v1alpha1.ReasonSuspended},
		"a certificate that is pinned to others": {presented: certificate("shop/selfsigned", pinned), number: oauth.ErrIdentity, reason: "certificate_not_pinned_or_method_not_listed"},
		"an imported one by a method not listed": {presented: certificate("shop/checkout", imported), number: oauth.ErrIdentity, reason: "certificate_not_pinned_or_method_not_listed"},
		"a certificate where none is listed":     {presented: certificate("shop/federated", pinned), number: oauth.ErrIdentity, reason: "certificate_not_pinned_or_method_not_listed"},
		"a client_id of another client":          {presented: with(func(p *clientauth.Presented) { p.ClientID = "shop/federated" }), number: oauth.ErrIdentity, reason: "service_account_of_no_such_client"},
		"a token that fits two clients":          {presented: assertion, token: batch, number: oauth.ErrAmbiguousClient},
		"which is told only to a living workload": {presented: assertion, token: func(c, k map[string]any) {
			batch(c, k)
			k["serviceaccount"] = map[string]any{"name": "batch", "uid": "old"}
		}, number: oauth.ErrIdentity, reason: "service_account_gone"},
		"a client whose id is not allowed":         {presented: with(func(p *clientauth.Presented) { p.ClientID = "somebody-elses" }), number: oauth.ErrIdentity, reason: "service_account_of_no_such_client"},
		"a service account of another namespace":   {presented: assertion, token: func(c, k map[string]any) { c["sub"], k["namespace"] = "system:serviceaccount:evil:app", "evil" }, number: oauth.ErrIdentity, reason: "service_account_of_no_such_client"},
		"a subject that disagrees with the claims": {presented: assertion, token: func(c, _ map[string]any) { c["sub"] = "system:serviceaccount:shop:admin" }, number: oauth.ErrIdentity, reason: "assertion_subject_disagrees"},
		"a token of nobody known":                  {presented: assertion, token: func(c, _ map[string]any) { c["iss"] = "https://evil" }, number: oauth.ErrIdentity, reason: "assertion_of_unknown_issuer"},
		"the API server's own audience":            {presented: assertion, token: func(c, _ map[string]any) { c["aud"] = cluster }, number: oauth.ErrIdentity, reason: "assertion_audience"},
		"our audience and another":                 {presented: assertion, token: func(c, _ map[string]any) { c["aud"] = []string{audience, "https://evil"} }, number: oauth.ErrIdentity, reason: "assertion_audience"},
		"an expired token":                         {presented: assertion, token: func(c, _ map[string]any) { c["exp"] = now.Add(-time.Minute).Unix() }, number: oauth.ErrIdentity, reason: "assertion_expired"},
		"a legacy token, which never expires":      {presented: assertion, token: func(c, k map[string]any) { delete(c, "exp"); k["secret"] = map[string]any{"name": "x", "uid": "y"} }, number: oauth.ErrIdentity, reason: "assertion_not_valid"},
		"a token bound to a Secret":                {presented: assertion, token: func(_, k map[string]any) { delete(k, "pod"); k["secret"] = map[string]any{"name": "x", "uid": "y"} }, number: oauth.ErrIdentity, reason: "assertion_bound_to_secret"},
		"a token bound to a node":                  {presented: assertion, token: func(_, k map[string]any) { delete(k, "pod") }, number: oauth.ErrIdentity, reason: "assertion_bound_to_node"},
		"a token bound to nothing":                 {presented: assertion, token: unbound, number: oauth.ErrIdentity, reason: "assertion_bound_to_no_pod"},
		"a pod that was made anew":                 {presented: assertion, token: func(_, k map[string]any) { k["pod"] = map[string]any{"name": "app-0", "uid": "old"} }, number: oauth.ErrIdentity, reason: "pod_gone"},
		"a pod without a UID":                      {presented: assertion, token: func(_, k map[string]any) { k["pod"] = map[string]any{"name": "app-0"} }, number: oauth.ErrIdentity, reason: "assertion_claims"},
		"a service account that was made anew":     {presented: assertion, token: func(_, k map[string]any) { k["serviceaccount"] = map[string]any{"name": "app", "uid": "old"} }, number: oauth.ErrIdentity, reason: "service_account_gone"},
		"a pod that is gone":                       {presented: assertion, world: func(w *world) { w.podGone = true }, number: oauth.ErrIdentity, reason: "pod_gone"},
		"a pod whose grace period is over":         {presented: assertion, world: func(w *world) { w.pod.DeletionTimestamp = now }, number: oauth.ErrIdentity, reason: "pod_deleted"},
		"a pod of another service account":         {presented: assertion, world: func(w *world) { w.pod.ServiceAccount = "other" }, number: oauth.ErrIdentity, reason: "pod_of_other_service_account"},
		"keys that could not be looked up":         {presented: assertion, world: func(w *world) { w.keysErr = errors.New("away") }, number: oauth.ErrCannotLookUp, reason: "service_account_keys"},
		"a service account that could not be":      {presented: assertion, world: func(w *world) { w.accountErr = errors.New("away") }, number: oauth.ErrCannotLookUp, reason: "service_account"},
		"a pod that could not be looked up":        {presented: assertion, world: func(w *world) { w.podErr = errors.New("away") }, number: oauth.ErrCannotLookUp, reason: "pod"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.world != nil {
				tc.world(w)
			}
			if tc.presented.Assertion != "" {
				tc.presented.Assertion = w.token(tc.token)
			}
			a := &clientauth.Authenticator{Registry: clients(), Cluster: w, Workloads: w, Audience: audience}
			var seen clientauth.Seen
			got, refusal := a.Authenticate(t.Context(), tc.presented, now, &seen)
			if tc.number == 0 {
				if refusal != nil {
					t.Fatalf("refused: %v", refusal)
				}
				if id := rules.ClientID(got.Object); id != tc.client || got.Method != tc.method {
					t.Errorf("authenticated %s by %s, want %s by %s", id, got.Method, tc.client, tc.method)
				}
				if federated := tc.method == oauth.AuthPrivateKeyJWT; federated != (got.Workload != nil) || federated == got.Ends.IsZero() {
					t.Errorf("workload %v, ends %v", got.Workload, got.Ends)
				}
				if seen.ClientID != tc.client || seen.Workload != got.Workload {
					t.Errorf("seen %+v", seen)
				}
				return
			}
			if refusal == nil {
				t.Fatal("accepted")
			}
			if got.Object != nil {
				t.Error("a refusal came with a client")
			}
			if refusal.Number != tc.number || refusal.Reason != tc.reason {
				t.Errorf("refused with %d %q, want %d %q", refusal.Number, refusal.Reason, tc.number, tc.reason)
			}
			if tc.number == oauth.ErrIdentity && refusal.Description() != oauth.ErrIdentity.Text() {
				t.Errorf("a refusal of identity tells a stranger %q", refusal.Description())
			}
			if tc.presented.Assertion != "" && strings.Contains(refusal.Error(), tc.presented.Assertion) {
				t.Error("the error holds the assertion")
			}
		})
	}
}

// The log says whose token was refused: the caller is told nothing.
func TestARefusedTokenIsSeen(t *testing.T) {
	w := newWorld(t)
	w.podGone = true
	a := &clientauth.Authenticator{Registry: clients(), Cluster: w, Workloads: w, Audience: audience}
	var seen clientauth.Seen
	if _, refusal := a.Authenticate(t.Context(), clientauth.Presented{Assertion: w.token(nil), AssertionType: oauth.AssertionTypeJWTBearer}, now, &seen); refusal == nil {
		t.Fatal("accepted")
	}
	if seen.ClientID != "shop/checkout" || seen.Workload == nil || seen.Workload.Pod != "app-0" {
		t.Errorf("seen %+v", seen)
	}
}

// Garbage must be refused before anything is asked of the API server.
func TestGarbageCausesNoLookUp(t *testing.T) {
	w := newWorld(t)
	w.noLookUps = true
	a := &clientauth.Authenticator{Registry: clients(), Cluster: w, Workloads: w, Audience: audience}
	for _, garbage := range []string{"x", "a.b.c", strings.Repeat("a", 1<<20), "eyJhbGciOiJub25lIn0.e30."} {
		if _, refusal := a.Authenticate(t.Context(), clientauth.Presented{Assertion: garbage, AssertionType: oauth.AssertionTypeJWTBearer}, now, &clientauth.Seen{}); refusal == nil || refusal.Reason != "assertion_malformed" {
			t.Errorf("got %v", refusal)
		}
	}
}
