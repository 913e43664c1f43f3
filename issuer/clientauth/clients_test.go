package clientauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/registry"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// clients are what the issuer knows.
func clients(t testing.TB) *registry.Registry {
	t.Helper()
	r := registry.New("cluster.local")
	r.ApplyNamespace(rules.ParseNamespace("shop", nil, nil))
	add := func(name string, change func(*v1alpha1.OAuthClient)) {
		c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		change(c)
		r.ApplyClient(c)
	}
	pin := func(client, thumbprint, certificate, pem string, distrust ...v1alpha1.Thumbprint) {
		r.ApplyCertificate(&v1alpha1.ClientCertificate{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: client + thumbprint},
			Spec:       v1alpha1.ClientCertificateSpec{ClientRef: v1alpha1.LocalReference{Name: client}, PEM: pem, Distrust: distrust},
			Status: v1alpha1.ClientCertificateStatus{Pins: []v1alpha1.Pin{{
				Thumbprint: thumbprint, Certificate: certificate, NotBefore: metav1.NewTime(now.Add(-time.Hour)), NotAfter: metav1.NewTime(now.Add(time.Hour)),
			}}},
		})
	}
	accounts := func(c *v1alpha1.OAuthClient, name string, boundTo v1alpha1.BoundTo) {
		c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: name, BoundTo: boundTo}}
	}
	methods := func(c *v1alpha1.OAuthClient, m ...v1alpha1.CertificateMethod) {
		c.Spec.Authentication.Certificate = &v1alpha1.CertificateCredential{Methods: m}
	}
	add("checkout", func(c *v1alpha1.OAuthClient) {
		accounts(c, "app", v1alpha1.BoundToPod)
		methods(c, v1alpha1.MethodTLSClientAuth)
	})
	pin("checkout", pinned, "", "")
	pin("checkout", imported, "", "-----BEGIN CERTIFICATE-----")
	add("selfsigned", func(c *v1alpha1.OAuthClient) { methods(c, v1alpha1.MethodSelfSignedTLSClientAuth) })
	pin("selfsigned", imported, "", "-----BEGIN CERTIFICATE-----")
	add("federated", func(c *v1alpha1.OAuthClient) { accounts(c, "other", v1alpha1.BoundToPod) })
	pin("federated", pinned, "", "")
	for _, name := range []string{"batch-a", "batch-b"} {
		add(name, func(c *v1alpha1.OAuthClient) { accounts(c, "batch", v1alpha1.BoundToAny) })
	}
	// Neither works, and neither makes the choice hard for checkout.
	add("not-allowed", func(c *v1alpha1.OAuthClient) {
		c.Spec.ClientID = "somebody-elses"
		accounts(c, "app", v1alpha1.BoundToPod)
	})
	add("suspended", func(c *v1alpha1.OAuthClient) {
		c.Spec.Suspend = true
		methods(c, v1alpha1.MethodTLSClientAuth, v1alpha1.MethodPrivateKeyJWT)
		c.Spec.Authentication.ClientSecret = secretCredential()
		c.Status.ClientSecrets = secrets()
	})
	pin("suspended", pinned, "", "")
	for _, name := range []string{"signing", "reusing", "not-signing", "distrusting"} {
		add(name, func(c *v1alpha1.OAuthClient) {
			methods(c, v1alpha1.MethodPrivateKeyJWT)
			switch name {
			case "reusing":
				c.Spec.Authentication.Certificate.AssertionReuse = v1alpha1.AssertionReuseUntilExpiry
			case "not-signing":
				methods(c, v1alpha1.MethodTLSClientAuth)
			}
		})
		for _, own := range credentials() {
			var distrust []v1alpha1.Thumbprint
			if name == "distrusting" {
				distrust = append(distrust, v1alpha1.Thumbprint(own.thumbprint))
			}
			pin(name, own.thumbprint, own.pem, "", distrust...)
		}
	}
	add("secret", func(c *v1alpha1.OAuthClient) {
		c.Spec.Authentication.ClientSecret = secretCredential()
		c.Status.ClientSecrets = secrets()
	})
	return r
}

func secretCredential() *v1alpha1.ClientSecretCredential {
	return &v1alpha1.ClientSecretCredential{Methods: []v1alpha1.ClientSecretMethod{v1alpha1.MethodClientSecretBasic}}
}

func secrets() []v1alpha1.ClientSecretStatus {
	status := func(secret string, ends time.Duration) v1alpha1.ClientSecretStatus {
		sum := sha256.Sum256([]byte(secret))
		return v1alpha1.ClientSecretStatus{Hash: "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:]), ExpiresAt: metav1.NewTime(now.Add(ends))}
	}
	return []v1alpha1.ClientSecretStatus{status(secret, 2*time.Hour), status(older, time.Hour)}
}
