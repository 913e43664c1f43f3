package injection

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Known is what is known of the client that a pod names, and of its certificates.
type Known struct {
	// Client is nil if there is none.
	Client *v1alpha1.OAuthClient
	// Certificates are those that name the client.
	Certificates []*v1alpha1.ClientCertificate
	// Named is the one that the pod names, whosever it is; nil: none, or there is none.
	Named *v1alpha1.ClientCertificate
	// Adopted is the Secret of the cert-manager Certificate that certificate returns adopts;
	// "": it adopts none, or there is none.
	Adopted string
}

// plan is what a pod gets.
type plan struct {
	wish Wish
	// clientID is the client_id that the sidecar asks as.
	clientID string
	// secret is the Secret with certificate and key; "": no certificate.
	secret string
	// assertion has the sidecar authenticate by the pod's service account, and not by the
	// certificate.
	assertion bool
	// warnings are for who creates the pod.
	warnings []string
	// unsure says that the plan rests on something not being there.
	unsure bool
}

// decide says what a pod of a namespace gets. It refuses what only a change of the pod heals.
func decide(pod *corev1.Pod, namespace string, w Wish, k Known) (plan, error) {
	p := plan{wish: w, clientID: namespace + "/" + w.Client, assertion: true}
	needed := true
	if c := k.Client; c == nil {
		p.unsure = true
		p.warn("there is no OAuthClient %s/%s yet: the sidecar waits for it%s; it is taken to have that client id, and to list the pod's service account", namespace, w.Client, w.andTheApp())
	} else {
		p.clientID, p.assertion = rules.ClientID(c), len(c.Spec.Authentication.ServiceAccounts) > 0
		needed = NeedsCertificate(c)
		if err := judgeCredential(pod, c); err != nil {
			return plan{}, err
		}
		p.warnOf(c)
	}
	cc, err := k.certificate(w)
	if err != nil {
		return plan{}, err
	}
	if cc != nil || needed || w.Certificate != "" || w.Secret != "" {
		if err := p.choose(namespace, cc, k.Adopted); err != nil {
			return plan{}, err
		}
	} else if w.Expose {
		return plan{}, refuse("the annotation %s is \"true\", and OAuthClient %s has no ClientCertificate: take the annotation away, or create a ClientCertificate", v1alpha1.AnnotationExposeCertificate, p.clientID)
	}
	p.warnings = append(append(p.warnings, unknownWishes(pod)...), w.idle()...)
	return p, nil
}

// NeedsCertificate says whether the pods of a client get no token without a certificate: for
// its tokens are bound to it, or they authenticate by it.
func NeedsCertificate(c *v1alpha1.OAuthClient) bool {
	bound := c.Spec.TokenBinding == "" || c.Spec.TokenBinding == v1alpha1.TokenBindingMTLS
	return bound || len(c.Spec.Authentication.ServiceAccounts) == 0
}

func (p *plan) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// andTheApp ends a sentence about what the sidecar waits for.
func (w Wish) andTheApp() string {
	if w.Wait && len(w.Settings.Resources) > 0 {
		return ", and the pod's own containers with it"
	}
	return ""
}

// warnOf warns of what keeps a client from getting tokens now.
func (p *plan) warnOf(c *v1alpha1.OAuthClient) {
	ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case c.Spec.Suspend:
		p.warn("OAuthClient %s/%s is suspended: the sidecar waits until it is resumed%s", c.Namespace, c.Name, p.wish.andTheApp())
	case ready != nil && ready.Status == "False" && ready.ObservedGeneration == c.Generation:
		p.warn("OAuthClient %s/%s is not Ready, and the sidecar waits until it is%s: %s", c.Namespace, c.Name, p.wish.andTheApp(), ready.Message)
	}
	if c.Spec.TokenBinding == v1alpha1.TokenBindingDPoP {
		p.warn("OAuthClient %s/%s has tokenBinding: DPoP, and the sidecar binds tokens to certificates only: it gets none until that is MTLS or None", c.Namespace, c.Name)
	}
}

// judgeCredential refuses a pod that cannot authenticate as c.
func judgeCredential(pod *corev1.Pod, c *v1alpha1.OAuthClient) error {
	account := pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	var names []string
	for _, a := range c.Spec.Authentication.ServiceAccounts {
		if a.Name == account {
			return nil
		}
		names = append(names, a.Name)
	}
	switch {
	case len(names) > 0:
		return refuse("spec.serviceAccountName is %s, and OAuthClient %s/%s lists %s: write serviceAccountName: %s, or have %s added to spec.authentication.serviceAccounts of the client",
			account, c.Namespace, c.Name, strings.Join(names, ", "), names[0], account)
	case overTLS(c):
		return nil
	default:
		return refuse("OAuthClient %s/%s lists no way to authenticate that the sidecar knows: have spec.authentication.serviceAccounts: [{name: %s}] added to the client", c.Namespace, c.Name, account)
	}
}

// overTLS says whether a certificate of the connection authenticates a client.
func overTLS(c *v1alpha1.OAuthClient) bool {
	accepts := c.Spec.Authentication.Certificate
	return accepts != nil && (slices.Contains(accepts.Methods, v1alpha1.MethodTLSClientAuth) || slices.Contains(accepts.Methods, v1alpha1.MethodSelfSignedTLSClientAuth))
}

// certificate chooses the ClientCertificate; nil: there is none yet.
func (k Known) certificate(w Wish) (*v1alpha1.ClientCertificate, error) {
	if w.Certificate != "" {
		if k.Named != nil && k.Named.Spec.ClientRef.Name != w.Client {
			return nil, refuse("the annotation %s is %s, which is pinned to OAuthClient %s and not to %s: name a ClientCertificate of %s",
				v1alpha1.AnnotationCertificate, w.Certificate, k.Named.Spec.ClientRef.Name, w.Client, w.Client)
		}
		return k.Named, nil
	}
	switch len(k.Certificates) {
	case 0:
		return nil, nil
	case 1:
		return k.Certificates[0], nil
	default:
		var names []string
		for _, cc := range k.Certificates {
			names = append(names, cc.Name)
		}
		slices.Sort(names)
		return nil, refuse("OAuthClient %s has several ClientCertificates (%s): say which one the pod uses with the annotation %s: %s", w.Client, strings.Join(names, ", "), v1alpha1.AnnotationCertificate, names[0])
	}
}

// choose chooses the Secret with certificate and key. cc is nil if there is none yet.
func (p *plan) choose(namespace string, cc *v1alpha1.ClientCertificate, adopted string) error {
	w := p.wish
	named := secretOf(cc, adopted)
	switch {
	case named != "" && w.Secret != "" && w.Secret != named:
		return refuse("the annotation %s is %s, and ClientCertificate %s/%s has its key in the Secret %s: take the annotation away", v1alpha1.AnnotationCertificateSecret, w.Secret, cc.Namespace, cc.Name, named)
	case named != "":
		p.secret = named
	case w.Secret != "":
		p.secret = w.Secret
	case cc != nil && cc.Spec.CertificateRef == nil:
		return refuse("ClientCertificate %s/%s says nothing of where the private key is: name the Secret with tls.crt and tls.key in the annotation %s", cc.Namespace, cc.Name, v1alpha1.AnnotationCertificateSecret)
	default:
		p.guess(namespace, cc)
	}
	return nil
}

// guess takes the name that a Secret has by custom.
func (p *plan) guess(namespace string, cc *v1alpha1.ClientCertificate) {
	p.unsure = true
	name := p.wish.Certificate
	if name == "" {
		name = p.wish.Client
	}
	p.secret = name + "-mtls"
	missing := fmt.Sprintf("there is no ClientCertificate %s/%s yet", namespace, name)
	switch {
	case cc != nil:
		missing = fmt.Sprintf("there is no Certificate %s/%s of cert-manager yet, which ClientCertificate %s adopts", namespace, cc.Spec.CertificateRef.Name, cc.Name)
	case p.wish.Certificate == "":
		missing = fmt.Sprintf("OAuthClient %s/%s has no ClientCertificate yet", namespace, name)
	}
	p.warn("%s: the pod waits for the Secret %s; if the key will be in another one, name that in the annotation %s", missing, p.secret, v1alpha1.AnnotationCertificateSecret)
}

// secretOf is the Secret that a ClientCertificate names itself, or by what it adopts.
func secretOf(cc *v1alpha1.ClientCertificate, adopted string) string {
	switch {
	case cc == nil:
		return ""
	case cc.Spec.Issuance != nil:
		return cc.Spec.Issuance.SecretName
	case adopted != "":
		return adopted
	default:
		return cc.Status.SecretName
	}
}
