package injection

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// mesh is somebody else's injector, which is asked after Lanyard's: it puts a sidecar of its
// own first, another container last, and a proxy into the environment of all.
const mesh = `[
	{"op":"add","path":"/spec/initContainers/0","value":{"name":"mesh-init","image":"mesh:v1"}},
	{"op":"add","path":"/spec/containers/-","value":{"name":"mesh","image":"mesh:v1"}},
	{"op":"add","path":"/spec/initContainers/1/env","value":[{"name":"HTTPS_PROXY","value":"http://127.0.0.1:15001"}]}
]`

// The API server asks Lanyard again: the pod is what the mark says, and what was added gets
// tokens too.
func TestInjectsBesideAnotherInjector(t *testing.T) {
	ns := open(t)
	after(t, ns, mesh)
	testenv.Eventually(t, func(ctx context.Context) error { // until the API server has heard of it
		p := pod(ns)
		if err := env.Client.Create(ctx, p, client.DryRunAll); err != nil {
			return err
		}
		if len(p.Spec.Containers) != 2 {
			return errors.New("the other injector is not asked yet")
		}
		return nil
	})
	p := injected(t, ns)
	if len(p.Spec.InitContainers) != 2 || p.Spec.InitContainers[1].Name != "mesh-init" || len(p.Spec.InitContainers[0].Env) > 0 {
		t.Errorf("the init containers are %+v; want Lanyard's as it was, and the other's", p.Spec.InitContainers)
	}
	for _, c := range append(p.Spec.Containers, p.Spec.InitContainers[1]) {
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == v1alpha1.TokensPath && m.ReadOnly }) {
			t.Errorf("%s mounts %+v; want the tokens", c.Name, c.VolumeMounts)
		}
	}
}

// after installs a webhook that is asked after Lanyard's about pods of a namespace, once, and
// answers with the patch.
func after(t *testing.T, namespace, patch string) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{
			UID: review.Request.UID, Allowed: true, PatchType: new(admissionv1.PatchTypeJSONPatch), Patch: []byte(patch),
		}
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	fail, none, path := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, server.URL+"/"
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "zz-after-lanyard"}, // they are asked in the order of their names
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "other.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none, FailurePolicy: &fail,
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: &path, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{"CREATE"},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
	testenv.Create(t, env.Client, configuration)
	t.Cleanup(func() {
		if err := env.Client.Delete(context.Background(), configuration); err != nil { // t.Context() has ended
			t.Error(err)
		}
	})
}
