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
		"a key in another Secret": {known: known(func(k *Known) {
			k.Certificates = []*v1alpha1.ClientCertificate{other("elsewhere")}
		}), want: []string{"mounts the Secret checkout-mtls", "elsewhere (of ClientCertificate other)"}},
		"a key in another Secret, which the pod names": {
			pod:   []func(*corev1.Pod){annotated(v1alpha1.AnnotationCertificateSecret, "elsewhere")},
			known: known(func(k *Known) { k.Certificates = []*v1alpha1.ClientCertificate{other("elsewhere")} }),
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
