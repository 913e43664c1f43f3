package cluster

import (
	"bytes"
	"context"
	_ "embed" // for the manifest
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

//go:embed policies.yaml
var policies string

// CertManagerPolicies is the manifest of what cert-manager needs beside its CRDs: namespace,
// service account, RBAC, and the admission policies that stand in for its webhook.
func CertManagerPolicies() []byte { return []byte(policies) }

// installTimeout bounds InstallCertManager and InstallAdmission, on a machine that is busy with
// other things.
const installTimeout = 3 * time.Minute

// InstallCertManager applies cert-manager's CRDs and [CertManagerPolicies], and returns when
// they are in force. It may be called again at any time.
func InstallCertManager(ctx context.Context, config *rest.Config, assets Assets) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	crds, err := readManifests(assets.CRDs)
	if err != nil {
		return err
	}
	others, err := decodeManifest(bytes.NewReader(CertManagerPolicies()))
	if err != nil {
		return err
	}
	for _, object := range append(crds, others...) {
		if err := apply(ctx, client, object); err != nil {
			return err
		}
	}
	for _, crd := range crds {
		if err := poll(ctx, func(ctx context.Context) error { return established(ctx, client, crd.GetName()) }); err != nil {
			return fmt.Errorf("cert-manager's CRDs: %w", err)
		}
	}
	if err := poll(ctx, func(ctx context.Context) error { return policiesInForce(ctx, client) }); err != nil {
		return fmt.Errorf("cert-manager's policies: %w", err)
	}
	return nil
}

func readManifests(dir string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no manifests in %s", dir)
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := decodeManifest(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

func decodeManifest(manifest io.Reader) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(manifest, tailBytes)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 { // a document may hold nothing but comments
			objects = append(objects, object)
		}
	}
}

// apply applies one object. Its resource follows from its kind, as it does for all kinds here.
func apply(ctx context.Context, client dynamic.Interface, object *unstructured.Unstructured) error {
	resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
	options := metav1.ApplyOptions{FieldManager: "lanyard-local-cluster", Force: true}
	_, err := client.Resource(resource).Namespace(object.GetNamespace()).Apply(ctx, object.GetName(), object, options)
	if err != nil {
		return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

func established(ctx context.Context, client dynamic.Interface, name string) error {
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	crd, err := client.Resource(definitions).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	// null at first, which is no list: an error as any other until there are some.
	conditions, _, err := unstructured.NestedSlice(crd.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, each := range conditions {
		condition, _ := each.(map[string]any)
		if condition["type"] == "Established" && condition["status"] == string(corev1.ConditionTrue) {
			return nil
		}
	}
	return fmt.Errorf("%s is not Established", name)
}

// policiesInForce tries, without leaving a trace, what the policies must refuse and change: the
// API server reads a policy some time after it was written, and no status says when.
func policiesInForce(ctx context.Context, client dynamic.Interface) error {
	const forged = "somebody-else"
	create := func(signingRequest string) (*unstructured.Unstructured, error) {
		requests := schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificaterequests"}
		probe := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "cert-manager.io/v1",
			"kind":       "CertificateRequest",
			"metadata":   map[string]any{"generateName": "policy-probe-"},
			"spec": map[string]any{
				"issuerRef": map[string]any{"name": "none"},
				"request":   base64.StdEncoding.EncodeToString([]byte(signingRequest)),
				"username":  forged,
			},
		}}
		return client.Resource(requests).Namespace("cert-manager").Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	}
	if _, err := create(""); err == nil {
		return errors.New("certificaterequest-spec does not refuse an empty request yet")
	}
	created, err := create("probe")
	if err != nil {
		return err
	}
	if username, _, _ := unstructured.NestedString(created.Object, "spec", "username"); username == forged {
		return errors.New("certificaterequest-identity does not replace a forged username yet")
	}
	return nil
}

// controllerManagerReady answers nil once every part that others wait for has done its work on
// the namespace that is always there.
func controllerManagerReady(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{}); err != nil {
		return err
	}
	_, err = client.CoreV1().ConfigMaps("default").Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	return err
}

// whenConfigured calls check with what a kubeconfig says.
func whenConfigured(ctx context.Context, kubeconfig string, check func(context.Context, *rest.Config) error) error {
	config, err := restConfig(kubeconfig)
	if err != nil {
		return permanent(err)
	}
	return check(ctx, config)
}
