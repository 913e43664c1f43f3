package access

import (
	"bytes"
	"encoding/base64"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

const precious = "precious-4f2a91c7"

// Mallory may write Lanyard's kinds, and even have certificates made, but has no
// permission on Secrets. controllers/clientcertificate shows the same at its own door
// (TestRefusesSecretOfSomebodyElse, TestRefusesSecretThatLooksLikeCertManagers), and
// controllers/clientsecret with client secrets switched on (TestRefusesASecretThatIsNotOurs).
func TestRefusesASecretOfOthersThroughAKind(t *testing.T) {
	ns := namespace(t)
	user := "mallory-" + ns
	give(t, user, clusterRole(t, rule("cert-manager.io", "certificates", "create")), ns)
	give(t, user, "lanyard-resource-owner", ns)
	mallory := owner(t, user, "lanyard-client-owner", ns)
	secret := create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "database"},
		Data:       map[string][]byte{"password": []byte(precious), "tls.crt": []byte(precious), "tls.key": []byte(precious)},
	})
	before := secret.DeepCopy()

	clients := attack{
		by: mallory, owner: mallory, kind: "OAuthClient", namespace: ns,
		good: func() spec { return spec{"authentication": spec{"serviceAccounts": []any{spec{"name": "default"}}}} },
		bad: func(s spec) {
			s["authentication"].(spec)["clientSecret"] = spec{"secretName": secret.Name, "methods": []any{"client_secret_basic"}}
		},
	}
	for r := range clients.each(t) {
		switch {
		case r.way == writeStatus:
			refused(t, r)
		case r.err != nil:
			t.Errorf("%s: refused: %v; want it accepted, and the Secret left alone", r.way, r.err)
		default:
			awaitReason(t, r.now, v1alpha1.ReasonReady)
		}
	}
	checkout := object("OAuthClient", ns, "checkout", spec{"authentication": spec{"certificate": spec{"methods": []any{"tls_client_auth"}}}})
	if err := mallory.Create(t.Context(), checkout); err != nil {
		t.Fatal(err)
	}
	certificates := attack{by: mallory, owner: mallory, kind: "ClientCertificate", namespace: ns, good: adopted, bad: func(s spec) {
		ask(s)
		s["issuance"].(spec)["secretName"] = secret.Name
	}}
	for r := range certificates.each(t) {
		if r.way == writeStatus {
			refused(t, r)
			continue
		}
		if r.err != nil {
			t.Fatalf("%s: %v", r.way, r.err)
		}
		awaitReason(t, r.now, v1alpha1.ReasonSecretNameInUse)
		if err := mallory.Delete(t.Context(), r.now); err != nil { // so that the next has the name in turn
			t.Error(err)
		}
	}
	if err := mallory.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); !apierrors.IsForbidden(err) {
		t.Errorf("she reads the Secret: err = %v; want forbidden", err)
	}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(before), secret); err != nil {
		t.Fatal(err)
	}
	if secret.ResourceVersion != before.ResourceVersion {
		t.Errorf("the Secret was written: %v; want it as it was, %v", secret.ObjectMeta, before.ObjectMeta)
	}
	isNowhereElse(t, ns, precious)
}

// isNowhereElse fails if what a Secret holds stands in anything else of the namespace
// that Lanyard or cert-manager writes.
func isNowhereElse(t *testing.T, ns, content string) {
	t.Helper()
	kinds := []schema.GroupVersionKind{
		eventsv1.SchemeGroupVersion.WithKind("Event"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		certmanagerv1.SchemeGroupVersion.WithKind("Certificate"),
		certmanagerv1.SchemeGroupVersion.WithKind("CertificateRequest"),
	}
	for kind := range forged {
		kinds = append(kinds, v1alpha1.SchemeGroupVersion.WithKind(kind))
	}
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := env.Client.List(t.Context(), list, client.InNamespace(ns)); err != nil {
			t.Fatal(err)
		}
		text := encode(t, list.Items)
		for _, form := range []string{content, base64.StdEncoding.EncodeToString([]byte(content))} {
			if bytes.Contains(text, []byte(form)) {
				t.Errorf("%s holds what stands in the Secret", kind.Kind)
			}
		}
	}
}

// The roles for people name no Secret; the built-in ones have what Kubernetes gives them.
func TestRefusesSecretsToThePeoplesRoles(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "lanyard-signing-keys"}}
	for _, role := range []string{"lanyard-view", "lanyard-client-owner", "lanyard-resource-owner", "lanyard-admin"} {
		by := owner(t, "secrets-"+role, role, "lanyard-system")
		for doing, err := range map[string]error{
			"read":     by.Get(t.Context(), client.ObjectKeyFromObject(secret), secret.DeepCopy()),
			"list":     by.List(t.Context(), &corev1.SecretList{}, client.InNamespace(secret.Namespace)),
			"annotate": by.Patch(t.Context(), secret.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"lanyard.dev/rotate":"now"}}}`))),
			"delete":   by.Delete(t.Context(), secret.DeepCopy()),
		} {
			if !apierrors.IsForbidden(err) {
				t.Errorf("%s: %s the signing keys: err = %v; want forbidden", role, doing, err)
			}
		}
	}
}
