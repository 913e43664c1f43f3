package declarations

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/keyring"
	"github.com/lanyard-dev/lanyard/issuer/kube"
	"github.com/lanyard-dev/lanyard/issuer/mint"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// issuer is the issuer without its HTTP: what it knows comes by its own watches of
// the same API server that the controllers read.
type issuer struct{ service *tokenservice.Service }

// issuerURL is the issuer identifier.
const issuerURL = "https://issuer.example"

// newIssuer runs an issuer with a key of its own until the test ends.
func newIssuer(t *testing.T) issuer {
	t.Helper()
	keys := mint.NewKeys()
	if err := keys.Set(ring(t)); err != nil {
		t.Fatal(err)
	}
	return runIssuer(t, keys, "default", "none", time.Now)
}

// runIssuer runs an issuer until the test ends. Its keys are those of a Secret.
func runIssuer(t *testing.T, keys *mint.Keys, namespace, secret string, now func() time.Time) issuer {
	t.Helper()
	known := registry.New("cluster.local")
	cluster, err := kube.New(kube.Config{
		REST: env.Config, Registry: known, Keys: keys,
		Namespace: namespace, SigningKeySecret: secret, ControllerLease: "none",
		MaxStaleness: time.Hour, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // until the cleanup, which comes after t.Context()
	ended := make(chan struct{})
	go func() { cluster.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	testenv.Eventually(t, func(context.Context) error {
		if refusal := cluster.Ready(); refusal != nil {
			return refusal
		}
		return nil
	})
	return issuer{&tokenservice.Service{
		Authenticator: &clientauth.Authenticator{Registry: known, Cluster: cluster.Keys, Workloads: cluster.Workloads, Audience: issuerURL},
		Registry:      known,
		Minter:        &mint.Minter{Issuer: issuerURL, Keys: keys, Random: rand.Reader},
		Now:           now,
	}}
}

// ring has one key that signs.
func ring(t *testing.T) keyring.Ring {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	return keyring.Ring{Keys: []keyring.Key{{ID: "one", Algorithm: keyring.ES256, PrivateKeyPKCS8: der, CreatedAt: now, SignsFrom: now}}}
}

// thumbprint is that of the certificate that every client here presents.
func thumbprint() string {
	sum := sha256.Sum256([]byte("certificate"))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// pin gives a client a ClientCertificate with that certificate.
func pin(t *testing.T, c *v1alpha1.OAuthClient) *v1alpha1.ClientCertificate {
	t.Helper()
	change(t, c, func(c *v1alpha1.OAuthClient) {
		c.Spec.Authentication.Certificate = &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodSelfSignedTLSClientAuth}}
	})
	cc := &v1alpha1.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name}}
	cc.Spec.ClientRef.Name, cc.Spec.CertificateRef = c.Name, &v1alpha1.LocalReference{Name: "adopted"}
	create(t, cc)
	cc.Status.Pins = []v1alpha1.Pin{{
		Thumbprint: thumbprint(), State: v1alpha1.PinCurrent,
		NotBefore: metav1.NewTime(time.Now().Add(-time.Minute)), NotAfter: metav1.NewTime(time.Now().Add(time.Hour)),
	}}
	if err := env.Client.Status().Update(t.Context(), cc); err != nil {
		t.Fatal(err)
	}
	return cc
}

// presented is what every client here presents.
func presented(clientID string) clientauth.Presented {
	return clientauth.Presented{ClientID: clientID, Peer: rules.Peer{Thumbprint: thumbprint()}}
}

// ask asks for a token with every role that the client has, and returns the roles.
func (i issuer) ask(ctx context.Context, clientID, identifier string) ([]string, *oauth.Error) {
	_, roles, refusal := i.token(ctx, clientID, identifier)
	return roles, refusal
}

// token returns the token, too.
func (i issuer) token(ctx context.Context, clientID, identifier string) (token string, roles []string, refusal *oauth.Error) {
	var event tokenservice.Event
	answer, refusal := i.service.Issue(ctx, tokenservice.Request{
		GrantType: oauth.GrantClientCredentials, Presented: presented(clientID), Scope: identifier + "/.default",
	}, &event)
	return answer.AccessToken, event.Roles, refusal
}

// awaitRoles waits until the issuer gives a token with these roles.
func (i issuer) awaitRoles(t *testing.T, clientID, identifier string, want ...string) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if got, refusal := i.ask(ctx, clientID, identifier); refusal != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("the issuer gives %s the roles %v, and refuses with %s; want %v", clientID, got, fmt.Sprint(refusal), want)
		}
		return nil
	})
}

// awaitRefusal waits until the issuer refuses with a number.
func (i issuer) awaitRefusal(t *testing.T, clientID, identifier string, number oauth.Number) {
	t.Helper()
	testenv.Eventually(t, func(ctx context.Context) error {
		if got, refusal := i.ask(ctx, clientID, identifier); refusal == nil || refusal.Number != number {
			return fmt.Errorf("the issuer gives %s the roles %v, and refuses with %s; want %d", clientID, got, fmt.Sprint(refusal), number)
		}
		return nil
	})
}

// hold adds a finalizer, as anybody may who may edit the object, and then deletes
// it as kubectl does. It returns what lets it go.
func hold[T client.Object](t *testing.T, o T) (release func()) {
	t.Helper()
	change(t, o, func(o T) { o.SetFinalizers([]string{"example.com/hold"}) })
	release = func() {
		t.Helper()
		change(t, o, func(o T) { o.SetFinalizers(nil) })
	}
	remove(t, o)
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil || o.GetDeletionTimestamp() == nil {
		t.Fatalf("a deleted %T is not held by its finalizer: %v", o, err)
	}
	return release
}
