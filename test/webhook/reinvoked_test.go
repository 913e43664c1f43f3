package webhook

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// Somebody else's webhook that comes after and changes the object has the API server ask
// once more: the record is the user's still, and nobody is told of a forgery.
func TestWhoDecidedWhenItIsAskedAgain(t *testing.T) {
	alice := newPerson(t, "alice")
	namespace := withRole(t)
	var asked atomic.Int32
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		kind := admissionv1.PatchTypeJSONPatch
		review.Response = &admissionv1.AdmissionResponse{
			UID: review.Request.UID, Allowed: true, PatchType: &kind, Patch: []byte(`[{"op":"add","path":"/spec/reason","value":"by another webhook"}]`),
		}
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	defer other.Close()
	fail, none, path := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, other.URL+"/"
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "zz-after-lanyard"}, // they are asked in the order of their names
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "other.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: &none, FailurePolicy: &fail,
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: &path, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{"CREATE", "UPDATE"},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"lanyard.dev"}, APIVersions: []string{"*"}, Resources: []string{"approleassignments"}},
			}},
		}},
	}
	testenv.Create(t, env.Client, configuration)
	t.Cleanup(func() {
		if err := env.Client.Delete(context.Background(), configuration); err != nil { // t.Context() has ended
			t.Error(err)
		}
	})
	a := decided(namespace)
	testenv.Eventually(t, func(ctx context.Context) error { // the API server reads the configuration after a moment
		if err := alice.Delete(ctx, decided(namespace)); err == nil {
			alice.warned.Take()
		}
		a = decided(namespace)
		if err := alice.Create(ctx, a); err != nil {
			return err
		}
		if asked.Load() == 0 {
			return errors.New("the other webhook was not asked")
		}
		return nil
	})
	if a.Spec.DecidedBy != "alice" || a.Spec.DecidedAt == nil || a.Spec.Reason != "by another webhook" {
		t.Errorf("decided by %q at %v for %q", a.Spec.DecidedBy, a.Spec.DecidedAt, a.Spec.Reason)
	}
	alice.warns(t)
}
