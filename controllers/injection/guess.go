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
	if k.Client != nil {
		if id := rules.ClientID(k.Client); !asksAs(pod, id) {
			return fmt.Sprintf("the sidecar does not ask as %s, which is the client id of OAuthClient %s/%s", id, k.Client.Namespace, k.Client.Name)
		}
		if refused, ok := errors.AsType[*refusal](judgeCredential(pod, k.Client)); ok {
			return refused.sentence
		}
	}
	if pod.Annotations[v1alpha1.AnnotationCertificateSecret] != "" {
		return "" // no guess
	}
	certificates := k.Certificates
	if k.Named != nil {
		certificates = []*v1alpha1.ClientCertificate{k.Named}
	}
	mounted, names := secretIn(pod), []string{}
	for _, cc := range certificates {
		name := secretOf(cc, k.Adopted)
		if name == "" || name == mounted {
			return ""
		}
		names = append(names, fmt.Sprintf("%s (of ClientCertificate %s)", name, cc.Name))
	}
	if len(names) == 0 || mounted == "" {
		return ""
	}
	slices.Sort(names)
	return fmt.Sprintf("the sidecar mounts the Secret %s, and the client's key is in %s", mounted, strings.Join(names, ", "))
}

// asksAs says whether the pod's sidecar asks as a client id; also if it cannot be told.
func asksAs(pod *corev1.Pod, id string) bool {
	i := sidecarOf(pod)
	if i < 0 {
		return true
	}
	for _, arg := range pod.Spec.InitContainers[i].Args {
		if asked, ok := strings.CutPrefix(arg, "--client-id="); ok {
			return asked == id
		}
	}
	return true
}

// secretIn is the Secret with the certificate that the pod's sidecar mounts; empty: none.
func secretIn(pod *corev1.Pod) string {
	for _, v := range pod.Spec.Volumes {
		if v.Name == v1alpha1.VolumeCertificate && v.Secret != nil {
			return v.Secret.SecretName
		}
	}
	return ""
}
