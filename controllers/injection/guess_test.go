package injection

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

func TestAGuessThatProvedWrong(t *testing.T) {
	guessed := func(t *testing.T, change ...func(*corev1.Pod)) *corev1.Pod {
		t.Helper()
		p, _, err := inject(t, pod(change...), Known{}) // nothing is there yet
		check(t, err)
		return p
	}
	known := func(change func(*Known)) Known {
		k := ready()
		k.Certificates[0].Spec.Issuance.SecretName = "checkout-mtls"
		change(&k)
		return k
	}
	other := func(secret string) *v1alpha1.ClientCertificate {
		cc := issued("other", "checkout")
		cc.Spec.Issuance.SecretName = secret
		return cc
	}
	unbound := func(c *v1alpha1.OAuthClient) { c.Spec.TokenBinding = v1alpha1.TokenBindingNone }
	byCertificate := func(methods ...v1alpha1.CertificateMethod) func(*v1alpha1.OAuthClient) {
		return func(c *v1alpha1.OAuthClient) {
			c.Spec.Authentication = v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: methods}}
		}
	}
	tests := map[string]struct {
		pod   []func(*corev1.Pod)
		known Known
		want  []string // parts of the sentence; none: nothing is wrong
	}{
		"everything came as guessed": {known: known(func(*Known) {})},
		"nothing has come yet":       {},
		"a client with an id of its own": {known: known(func(k *Known) {
			k.Client = oauthClient(func(c *v1alpha1.OAuthClient) { c.Spec.ClientID = "the-shop" })
		}), want: []string{"does not ask as the-shop"}},
		"a client of another service account": {known: known(func(k *Known) {
			k.Client = oauthClient(func(c *v1alpha1.OAuthClient) {
				c.Spec.Authentication.ServiceAccounts = []v1alpha1.ServiceAccountCredential{{Name: "another"}}
			})
		}), want: []string{"serviceAccountName", "another"}},
		"a client that authenticates by its certificate alone": {known: known(func(k *Known) {
			k.Client = oauthClient(byCertificate(v1alpha1.MethodTLSClientAuth))
		}), want: []string{"by the pod's service account", "OAuthClient shop/checkout lists none"}},
		"a client that authenticates by neither": {known: known(func(k *Known) {
			k.Client = oauthClient(byCertificate(v1alpha1.MethodPrivateKeyJWT))
		}), want: []string{"lists no way to authenticate"}},
		"a client that needs no certificate, and has none": {
			known: Known{Client: oauthClient(unbound)}, want: []string{"mounts the Secret checkout-mtls", "tokenBinding: None"},
		},
		"a client that needs no certificate, and has none, of a pod that names a Secret": {
			pod: []func(*corev1.Pod){annotated(v1alpha1.AnnotationCertificateSecret, "own")}, known: Known{Client: oauthClient(unbound)},
		},
		"a client that needs no certificate, and has one": {known: known(func(k *Known) { k.Client = oauthClient(unbound) })},
		"a client without its certificate":                {known: Known{Client: oauthClient()}},
		"another client's certificate, which the pod names": {
			pod:   []func(*corev1.Pod){annotated(v1alpha1.AnnotationCertificate, "other")},
			known: Known{Client: oauthClient(), Named: issued("other", "orders")}, want: []string{"pinned to OAuthClient orders and not to checkout"},
		},
		"a key in another Secret": {known: known(func(k *Known) {
			k.Certificates = []*v1alpha1.ClientCertificate{other("elsewhere")}
		}), want: []string{"mounts the Secret checkout-mtls", "elsewhere (of ClientCertificate other)"}},
		"a key in another Secret, which the pod names": {
			pod:   []func(*corev1.Pod){annotated(v1alpha1.AnnotationCertificateSecret, "elsewhere")},
			known: known(func(k *Known) { k.Certificates = []*v1alpha1.ClientCertificate{other("elsewhere")} }),
		},
		"a key in another Secret than the one that the pod names": {
			pod:   []func(*corev1.Pod){annotated(v1alpha1.AnnotationCertificateSecret, "typo")},
			known: known(func(*Known) {}), want: []string{"the annotation lanyard.dev/certificate-secret is typo", "checkout-mtls (of ClientCertificate checkout)", "take the annotation away"},
		},
		"a second certificate beside the right one": {known: known(func(k *Known) { k.Certificates = append(k.Certificates, other("elsewhere")) })},
		"a certificate that says nothing of its Secret": {known: known(func(k *Known) {
			cc := other("")
			cc.Spec.Issuance, cc.Spec.PEM = nil, "x"
			k.Certificates = []*v1alpha1.ClientCertificate{cc}
		})},
		"the certificate that the pod names, in another Secret": {
			pod:   []func(*corev1.Pod){annotated(v1alpha1.AnnotationCertificate, "other")},
			known: Known{Client: oauthClient(), Named: other("elsewhere")}, want: []string{"mounts the Secret other-mtls", "elsewhere"},
		},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			got := Wrong(guessed(t, test.pod...), test.known)
			if (got == "") != (test.want == nil) {
				t.Errorf("it says %q", got)
			}
			for _, part := range test.want {
				if !strings.Contains(got, part) {
					t.Errorf("%q does not say %q", got, part)
				}
			}
		})
	}
}

// A pod may be older than a certificate, and have been made by what was known of the client.
func TestAPodThatIsOlderThanACertificate(t *testing.T) {
	unbound := func(c *v1alpha1.OAuthClient) { c.Spec.TokenBinding = v1alpha1.TokenBindingNone }
	overTLS := func(c *v1alpha1.OAuthClient) {
		unbound(c)
		c.Spec.Authentication = v1alpha1.ClientAuthentication{Certificate: &v1alpha1.CertificateCredential{Methods: []v1alpha1.CertificateMethod{v1alpha1.MethodSelfSignedTLSClientAuth}}}
	}
	tests := map[string]struct {
		before, now func(*v1alpha1.OAuthClient)
		want        string
	}{
		"of a client that needs none":          {before: unbound, now: unbound},
		"of a client that needs one now":       {before: unbound, now: func(*v1alpha1.OAuthClient) {}, want: "mounts no certificate, and the client's key is in checkout-mtls"},
		"of a client that authenticates by it": {before: overTLS, now: overTLS},
		"of a client that lists a service account, too": {before: overTLS, now: func(c *v1alpha1.OAuthClient) {
			accounts := c.Spec.Authentication.ServiceAccounts
			overTLS(c)
			c.Spec.Authentication.ServiceAccounts = accounts
		}},
		"of a client that lists a service account in place": {before: overTLS, now: unbound, want: "authenticates by its certificate"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			p, _, err := inject(t, pod(), Known{Client: oauthClient(test.before)})
			check(t, err)
			cc := issued("checkout", "checkout")
			cc.Spec.Issuance.SecretName = "checkout-mtls"
			got := Wrong(p, Known{Client: oauthClient(test.now), Certificates: []*v1alpha1.ClientCertificate{cc}})
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("it says %q; want %q", got, test.want)
			}
		})
	}
}
