package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// hooks is as config/webhook has them: a Service, and a CA that cert-manager is to write there.
const hooks = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata:
  name: hooks
  annotations: {cert-manager.io/inject-ca-from: shop/leaf, example.com/kept: "yes"}
webhooks:
- name: one.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {namespace: shop, name: hooks, path: /one}}
- name: two.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {namespace: shop, name: hooks, path: /two}}
`

func parsedHooks(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	objects, err := decodeManifest(bytes.NewReader([]byte(hooks)))
	if err != nil {
		t.Fatal(err)
	}
	return objects[0]
}

// caBundles returns what the API server would trust, webhook by webhook.
func caBundles(configuration *unstructured.Unstructured) []string {
	webhooks, _, _ := unstructured.NestedSlice(configuration.Object, "webhooks")
	bundles := make([]string, len(webhooks))
	for i, each := range webhooks {
		webhook, _ := each.(map[string]any)
		bundles[i], _, _ = unstructured.NestedString(webhook, "clientConfig", "caBundle")
	}
	return bundles
}

// checkInjected waits until the CA injector has written the CA of the certificate "leaf" into a
// webhook configuration that asks for it, and applies the configuration again. The CA is read anew
// each time: the certificate has signed itself, and cert-manager may issue it a second time.
func checkInjected(t *testing.T, client dynamic.Interface) {
	t.Helper()
	for _, when := range []string{"at first", "applied again"} {
		configuration := parsedHooks(t)
		if err := pointAt(configuration, "https://127.0.0.1:1", nil); err != nil {
			t.Fatal(err)
		}
		if err := apply(t.Context(), client, configuration); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the CA in the webhook configuration, "+when, func(ctx context.Context) error {
			secret, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace("shop").Get(ctx, "leaf", metav1.GetOptions{})
			if err != nil {
				return err
			}
			got, err := client.Resource(admissionResource("mutatingwebhookconfigurations")).Get(ctx, "hooks", metav1.GetOptions{})
			if err != nil {
				return err
			}
			ca, _, _ := unstructured.NestedString(secret.Object, "data", "ca.crt")
			if diff := cmp.Diff([]string{ca, ca}, caBundles(got)); ca == "" || diff != "" {
				return fmt.Errorf("the bundles (-want +got):\n%s", diff)
			}
			return nil
		})
	}
}

func TestWebhooksArePointedAtAURL(t *testing.T) {
	for name, test := range map[string]struct {
		ca          []byte
		annotations map[string]string
		bundle      string
	}{
		"with a CA, which the CA injector must not replace": {
			[]byte("ca"), map[string]string{"example.com/kept": "yes"}, base64.StdEncoding.EncodeToString([]byte("ca")),
		},
		"with the CA left to the CA injector": {
			nil, map[string]string{"example.com/kept": "yes", injectAnnotation: "shop/leaf"}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			configuration := parsedHooks(t)
			if err := pointAt(configuration, "https://127.0.0.1:1/", test.ca); err != nil {
				t.Fatal(err)
			}
			webhooks, _, _ := unstructured.NestedSlice(configuration.Object, "webhooks")
			for i, path := range []string{"/one", "/two"} {
				want := map[string]any{"url": "https://127.0.0.1:1" + path}
				if test.bundle != "" {
					want["caBundle"] = test.bundle
				}
				if diff := cmp.Diff(want, webhooks[i].(map[string]any)["clientConfig"]); diff != "" {
					t.Errorf("webhook %d (-want +got):\n%s", i, diff)
				}
			}
			if diff := cmp.Diff(test.annotations, configuration.GetAnnotations()); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}
