package injection

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

var installed = Installation{
	Image: "lanyard:v1", PullPolicy: corev1.PullIfNotPresent, Issuer: "https://lanyard-issuer.lanyard-system.svc", AssertionLifetime: time.Hour,
}

// pod asks for the sidecar of client checkout.
func pod(change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "app", Namespace: "shop",
			Labels:      map[string]string{v1alpha1.LabelInject: "true"},
			Annotations: map[string]string{v1alpha1.AnnotationClient: "checkout"},
		},
		Spec: corev1.PodSpec{ServiceAccountName: "checkout", Containers: []corev1.Container{{Name: "app", Image: "app:v1"}}},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func annotated(name, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations[name] = value }
}

// oauthClient lists the service account of pod.
func oauthClient(change ...func(*v1alpha1.OAuthClient)) *v1alpha1.OAuthClient {
	c := &v1alpha1.OAuthClient{
		ObjectMeta: metav1.ObjectMeta{Name: "checkout", Namespace: "shop"},
		Spec: v1alpha1.OAuthClientSpec{
			TokenBinding:   v1alpha1.TokenBindingMTLS,
			Authentication: v1alpha1.ClientAuthentication{ServiceAccounts: []v1alpha1.ServiceAccountCredential{{Name: "checkout"}}},
		},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// issued is a ClientCertificate of a client, whose Secret is called as it is.
func issued(name, client string) *v1alpha1.ClientCertificate {
	return &v1alpha1.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"},
		Spec: v1alpha1.ClientCertificateSpec{
			ClientRef: v1alpha1.LocalReference{Name: client}, Issuance: &v1alpha1.Issuance{SecretName: name + "-key"},
		},
	}
}

// ready is a client with its certificate.
func ready() Known {
	return Known{Client: oauthClient(), Certificates: []*v1alpha1.ClientCertificate{issued("checkout", "checkout")}}
}

// inject does with a pod what the webhook does, by what is known.
func inject(t *testing.T, p *corev1.Pod, k Known) (*corev1.Pod, plan, error) {
	t.Helper()
	w, err := readWish(p.Annotations)
	if err == nil {
		err = judgePod(p, w)
	}
	var made plan
	if err == nil {
		made, err = decide(p, p.Namespace, w, k)
	}
	if err != nil {
		if _, ok := errors.AsType[*refusal](err); !ok {
			t.Errorf("%v is no refusal", err)
		}
		return nil, plan{}, err
	}
	return applied(t, p, patchOf(p, shapeOf(p, made, installed), rules.Mark(w.Client))), made, nil
}

// applied is the pod with a patch applied as the API server does.
func applied(t *testing.T, p *corev1.Pod, operations patch) *corev1.Pod {
	t.Helper()
	text, err := json.Marshal(operations)
	check(t, err)
	decoded, err := jsonpatch.DecodePatch(text)
	check(t, err)
	before, err := json.Marshal(p)
	check(t, err)
	after, err := decoded.Apply(before)
	if err != nil {
		t.Fatalf("the patch cannot be applied: %v\n%s", err, text)
	}
	out := &corev1.Pod{}
	check(t, json.Unmarshal(after, out))
	return out
}

// injected is a pod of a client that is ready, after injection.
func injected(t *testing.T, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	out, _, err := inject(t, pod(change...), ready())
	check(t, err)
	return out
}

// review is the admission review of a pod.
func review(t *testing.T, p *corev1.Pod) admission.Request {
	t.Helper()
	raw, err := json.Marshal(p)
	check(t, err)
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Namespace: p.Namespace, Object: runtime.RawExtension{Raw: raw}}}
}

func handled(t *testing.T, h *handler, p *corev1.Pod) admission.Response {
	t.Helper()
	response, err := h.handle(context.Background(), review(t, p))
	check(t, err)
	return response
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
