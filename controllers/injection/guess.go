package injection

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Wrong says what is wrong with a pod that was injected before all was known of its client:
// by a guess that another came true than. Only another pod in its place heals it. Empty:
// nothing is, or it cannot be told yet.
func Wrong(pod *corev1.Pod, k Known) string {
	w, err := readWish(pod.Annotations)
	i := sidecarOf(pod)
	if err != nil || i < 0 || k.Client == nil {
		return ""
	}
	made := madeOf(pod, i)
	if wrong := made.wrongClient(pod, k.Client); wrong != "" {
		return wrong
	}
	return made.wrongSecret(w, k)
}

// made is what of its plan an injected pod shows.
type made struct {
	// clientID is what the sidecar asks as.
	clientID string
	// assertion: it authenticates by the pod's service account.
	assertion bool
	// secret is the Secret with the certificate that it mounts; "": none.
	secret string
}

func madeOf(pod *corev1.Pod, sidecar int) (m made) {
	for _, arg := range pod.Spec.InitContainers[sidecar].Args {
		if id, ok := strings.CutPrefix(arg, "--client-id="); ok {
			m.clientID = id
		}
		m.assertion = m.assertion || strings.HasPrefix(arg, "--assertion-file=")
	}
	for _, v := range pod.Spec.Volumes {
		if v.Name == v1alpha1.VolumeCertificate && v.Secret != nil {
			m.secret = v.Secret.SecretName
		}
	}
	return m
}

// wrongClient says why a client does not let in what was made for another.
func (m made) wrongClient(pod *corev1.Pod, c *v1alpha1.OAuthClient) string {
	if id := rules.ClientID(c); m.clientID != id {
		return fmt.Sprintf("the sidecar does not ask as %s, which is the client id of OAuthClient %s/%s", id, c.Namespace, c.Name)
	}
	switch refused, ok := errors.AsType[*refusal](judgeCredential(pod, c)); {
	case !m.assertion && overTLS(c):
		return ""
	case !m.assertion:
		return fmt.Sprintf("the sidecar authenticates by its certificate, and OAuthClient %s/%s does not list tls_client_auth", c.Namespace, c.Name)
	case ok:
		return refused.sentence
	case len(c.Spec.Authentication.ServiceAccounts) == 0:
		return fmt.Sprintf("the sidecar authenticates by the pod's service account, and OAuthClient %s/%s lists none: it has certificates alone", c.Namespace, c.Name)
	default:
		return ""
	}
}

// wrongSecret says why the certificate that was mounted, or none, is not one of the client's.
// A client may have more certificates by now than the one that the pod was made for.
func (m made) wrongSecret(w Wish, k Known) string {
	c := k.Client
	needed := NeedsCertificate(c) || !m.assertion
	if m.secret == "" && !needed {
		return ""
	}
	certificates := k.Certificates
	if w.Certificate != "" {
		cc, err := k.certificate(w)
		if refused, ok := errors.AsType[*refusal](err); ok {
			return refused.sentence
		}
		if certificates = nil; cc != nil {
			certificates = append(certificates, cc)
		}
	} else if len(certificates) == 0 && !needed && w.Secret == "" {
		return fmt.Sprintf("the sidecar mounts the Secret %s, and OAuthClient %s/%s has no ClientCertificate, and with tokenBinding: %s needs none", m.secret, c.Namespace, c.Name, c.Spec.TokenBinding)
	}
	var names []string
	for _, cc := range certificates {
		name := secretOf(cc, k.Adopted)
		if name == "" || name == m.secret {
			return ""
		}
		names = append(names, fmt.Sprintf("%s (of ClientCertificate %s)", name, cc.Name))
	}
	slices.Sort(names)
	key := "the client's key is in " + strings.Join(names, ", ")
	switch {
	case len(names) == 0:
		return "" // there is none yet
	case m.secret == "":
		return "the sidecar mounts no certificate, and " + key
	case w.Secret != "":
		return fmt.Sprintf("the annotation %s is %s, and %s: take the annotation away", v1alpha1.AnnotationCertificateSecret, w.Secret, key)
	default:
		return fmt.Sprintf("the sidecar mounts the Secret %s, and %s", m.secret, key)
	}
}
