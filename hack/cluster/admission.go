package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// InstallAdmission applies config/policies and the webhook configurations of config/webhook of
// the checkout at root, and returns when the policies are in force. It may be called again at
// any time.
//
// The API server of the local cluster reaches no Services, so the webhooks are asked at
// webhookURL (https, without a path) and the path of each. caPEM is who signed the certificate
// there; nil leaves that to cert-manager's CA injector, as on any other cluster.
func InstallAdmission(ctx context.Context, config *rest.Config, root, webhookURL string, caPEM []byte) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := ApplyFolder(ctx, config, filepath.Join(root, "config", "policies")); err != nil {
		return err
	}
	if err := waitForPolicies(ctx, client); err != nil {
		return err
	}
	objects, err := readFolder(filepath.Join(root, "config", "webhook"))
	if err != nil {
		return err
	}
	for _, object := range objects {
		if object.GroupVersionKind().Group != "admissionregistration.k8s.io" {
			continue // its Service and its Certificate are for clusters that have Services
		}
		if err := pointAt(object, webhookURL, caPEM); err != nil {
			return err
		}
		if err := apply(ctx, client, object); err != nil {
			return err
		}
	}
	return nil
}

// webhookProbes are what only Lanyard's webhooks can answer: somebody must write who decides, and
// refuse a client id that the namespace does not allow.
const webhookProbes = `
apiVersion: lanyard.dev/v1alpha1
kind: AppRoleAssignment
metadata: {name: webhook-probe, namespace: default}
spec:
  roleRef: {name: webhook-probe}
  clientRef: {namespace: default, name: webhook-probe}
  decision: Denied
---
apiVersion: lanyard.dev/v1alpha1
kind: OAuthClient
metadata: {name: webhook-probe, namespace: default}
spec:
  clientID: webhook-probe
  authentication: {serviceAccounts: [{name: webhook-probe}]}
`

// WaitForWebhooks returns when the API server asks Lanyard's webhooks, and is answered; it tries
// that without leaving a trace. [InstallAdmission] comes first, and the controller must run.
func WaitForWebhooks(ctx context.Context, config *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	config = rest.CopyConfig(config)
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	probes, err := decodeManifest(strings.NewReader(webhookProbes))
	if err != nil {
		return err
	}
	create := func(ctx context.Context, object *unstructured.Unstructured) error {
		resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
		_, err := client.Resource(resource).Namespace(object.GetNamespace()).Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	err = poll(ctx, func(ctx context.Context) error {
		if err := create(ctx, probes[0]); err != nil { // by the policy, or because nobody answers
			return err
		}
		switch err := create(ctx, probes[1]); {
		case err == nil:
			return errors.New("a client id that is not allowed is let in")
		case strings.Contains(err.Error(), "denied the request"):
			return nil
		default:
			return err
		}
	})
	if err != nil {
		return fmt.Errorf("the webhooks do not answer: %w", err)
	}
	return nil
}

// ApplyFolder applies what the kustomization.yaml of a folder lists, as it is: such a file may
// list files of its folder, and no more.
func ApplyFolder(ctx context.Context, config *rest.Config, dir string) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	objects, err := readFolder(dir)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := apply(ctx, client, object); err != nil {
			return err
		}
	}
	return nil
}

// readFolder returns the objects that a kustomization.yaml lists.
func readFolder(dir string) ([]*unstructured.Unstructured, error) {
	path := filepath.Join(dir, "kustomization.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		Resources []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(data, &kustomization); err != nil {
		return nil, fmt.Errorf("%s: %w; only resources can be listed for the local cluster", path, err)
	}
	var all []*unstructured.Unstructured
	for _, name := range kustomization.Resources {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		objects, err := decodeManifest(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// injectAnnotation asks cert-manager's CA injector for the CA of a Certificate.
const injectAnnotation = "cert-manager.io/inject-ca-from"

// pointAt makes the Service of each webhook of a configuration a URL. With a CA of its own the
// configuration is none of the CA injector's business.
func pointAt(configuration *unstructured.Unstructured, webhookURL string, caPEM []byte) error {
	webhooks, found, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	if err != nil || !found {
		return err // not found: a policy
	}
	for _, each := range webhooks {
		webhook, _ := each.(map[string]any)
		path, found, err := unstructured.NestedString(webhook, "clientConfig", "service", "path")
		if err != nil || !found {
			return errors.Join(fmt.Errorf("%s %s: the webhook %v names no Service with a path", configuration.GetKind(), configuration.GetName(), webhook["name"]), err)
		}
		target := map[string]any{"url": strings.TrimSuffix(webhookURL, "/") + path}
		if caPEM != nil {
			target["caBundle"] = base64.StdEncoding.EncodeToString(caPEM)
		}
		webhook["clientConfig"] = target
	}
	if caPEM != nil {
		annotations := configuration.GetAnnotations()
		delete(annotations, injectAnnotation)
		configuration.SetAnnotations(annotations)
	}
	return unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks")
}

// probePolicy refuses ConfigMaps of one name.
const probePolicy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps], resourceNames: [%[1]s]}
  validations:
  - {expression: "false", message: this is a probe}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s, validationActions: [Deny]}
`

// waitForPolicies returns when every ValidatingAdmissionPolicy that was written before is in
// force: the API server takes policies in some time after they were written, and no status says
// when. It takes them in in the order of writing, so one more, which refuses a name that nobody
// else uses, shows that the others are.
func waitForPolicies(ctx context.Context, client dynamic.Interface) error {
	name := "lanyard-policy-probe-" + rand.String(10)
	policies := admissionResource("validatingadmissionpolicies")
	bindings := admissionResource("validatingadmissionpolicybindings")
	defer func() {
		ctx := context.WithoutCancel(ctx)
		for _, resource := range []schema.GroupVersionResource{bindings, policies} {
			_ = client.Resource(resource).Delete(ctx, name, metav1.DeleteOptions{}) // left behind it refuses one name
		}
	}()
	objects, err := decodeManifest(strings.NewReader(fmt.Sprintf(probePolicy, name)))
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := apply(ctx, client, object); err != nil {
			return err
		}
	}
	configMaps := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(metav1.NamespaceDefault)
	probe := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}}}
	err = poll(ctx, func(ctx context.Context) error {
		switch _, err := configMaps.Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); {
		case err == nil:
			return errors.New("the API server has not taken in the policies yet")
		case apierrors.IsInvalid(err) || apierrors.IsForbidden(err):
			return nil
		default:
			return err
		}
	})
	if err != nil {
		return fmt.Errorf("waiting for the admission policies: %w", err)
	}
	return nil
}

func admissionResource(name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: name}
}
