package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// issue asks for the certificate "leaf" in a namespace of its own; everyone may make and change
// CertificateRequests there.
const issue = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: self}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: leaf, namespace: shop}
spec:
  secretName: leaf
  commonName: leaf
  issuerRef: {name: self, kind: ClusterIssuer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: requester, namespace: shop}
rules:
- {apiGroups: [cert-manager.io], resources: [certificaterequests], verbs: [create, update, get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: requester, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: requester}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}
`

func certManagerResource(name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: name}
}

func builtAssets(t *testing.T) Assets {
	t.Helper()
	assets, err := Build(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return assets
}

func dynamicClient(t *testing.T, config *rest.Config) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func applyManifest(t *testing.T, client dynamic.Interface, manifest string) {
	t.Helper()
	objects, err := decodeManifest(bytes.NewReader([]byte(manifest)))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if err := apply(t.Context(), client, object); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually waits for a condition, for at most a minute.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := poll(limited, check); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func hasCondition(object *unstructured.Unstructured, conditionType string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, each := range conditions {
		if condition, ok := each.(map[string]any); ok && condition["type"] == conditionType && condition["status"] == "True" {
			return true
		}
	}
	return false
}

// checkIssued waits until the certificate is Ready and in its Secret, and looks at who asked for
// it. Any number of requests may be there: on a busy machine cert-manager does not see at once the
// Secret that it has written, and issues a second time.
func checkIssued(t *testing.T, client dynamic.Interface) {
	t.Helper()
	eventually(t, "the certificate", func(ctx context.Context) error {
		got, err := client.Resource(certManagerResource("certificates")).Namespace("shop").Get(ctx, "leaf", metav1.GetOptions{})
		if err == nil && !hasCondition(got, "Ready") {
			err = fmt.Errorf("not Ready: %v", got.Object["status"])
		}
		return err
	})
	secret, err := client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace("shop").Get(t.Context(), "leaf", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if certificate, _, _ := unstructured.NestedString(secret.Object, "data", "tls.crt"); certificate == "" {
		t.Error("the Certificate is Ready, and its Secret holds no tls.crt")
	}
	var requests *unstructured.UnstructuredList
	eventually(t, "a CertificateRequest", func(ctx context.Context) (err error) {
		requests, err = client.Resource(certManagerResource("certificaterequests")).Namespace("shop").List(ctx, metav1.ListOptions{})
		if err == nil && len(requests.Items) == 0 {
			err = errors.New("there is none")
		}
		return err
	})
	for _, request := range requests.Items {
		if username, _, _ := unstructured.NestedString(request.Object, "spec", "username"); username != CertManagerUser {
			t.Errorf("spec.username of %s = %q; want %q", request.GetName(), username, CertManagerUser)
		}
	}
}

// checkForgery is mallory's attempt to make a request in cert-manager's name, and to change it
// into one afterwards.
func checkForgery(t *testing.T, mallory dynamic.Interface) {
	t.Helper()
	requests := mallory.Resource(certManagerResource("certificaterequests")).Namespace("shop")
	forged := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1",
		"kind":       "CertificateRequest",
		"metadata":   map[string]any{"name": "forged"},
		"spec": map[string]any{
			"issuerRef": map[string]any{"name": "self", "kind": "ClusterIssuer"},
			"request":   base64.StdEncoding.EncodeToString([]byte("not a request")),
			"username":  CertManagerUser,
			"uid":       "0000",
			"groups":    []any{"system:masters"},
			"extra":     map[string]any{"forged": []any{"yes"}},
		},
	}}
	var created *unstructured.Unstructured
	eventually(t, "the forged request", func(ctx context.Context) (err error) { // her role is new, too
		created, err = requests.Create(ctx, forged, metav1.CreateOptions{})
		return err
	})
	spec, _, _ := unstructured.NestedMap(created.Object, "spec")
	delete(spec["extra"].(map[string]any), "authentication.kubernetes.io/credential-id") // what the API server adds
	got := map[string]any{"username": spec["username"], "groups": spec["groups"], "uid": spec["uid"], "extra": spec["extra"]}
	want := map[string]any{"username": "mallory", "groups": []any{"system:authenticated"}, "uid": "", "extra": map[string]any{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who asked (-want +got):\n%s", diff)
	}
	for field, forged := range map[string]any{"username": CertManagerUser, "uid": "0000", "groups": []any{"system:masters"}, "isCA": true} {
		// cert-manager writes the status meanwhile: only its refusal of the spec counts.
		eventually(t, "the refusal of another "+field, func(ctx context.Context) error {
			current, err := requests.Get(ctx, "forged", metav1.GetOptions{})
			if err != nil {
				return err
			}
			if err := unstructured.SetNestedField(current.Object, forged, "spec", field); err != nil {
				return permanent(err)
			}
			switch _, err := requests.Update(ctx, current, metav1.UpdateOptions{}); {
			case err == nil:
				return permanent(fmt.Errorf("spec.%s was changed", field))
			case apierrors.IsInvalid(err):
				return nil
			default:
				return err
			}
		})
	}
}

// killed ends a process behind the supervisor's back.
func killed(t *testing.T, s *Supervisor, name string) {
	t.Helper()
	if err := syscall.Kill(pidOf(t, s, name), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of "+name, func(context.Context) error {
		if s.Alive(name) {
			return fmt.Errorf("%s is alive", name)
		}
		return nil
	})
}

func TestStartedClusterIssuesCertificatesAndLosesNothingWhenKilled(t *testing.T) {
	options := Options{StateDir: t.TempDir(), Assets: builtAssets(t), Progress: t.Output()}
	begun := time.Now()
	c, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background(), os.Stderr); err != nil {
			t.Error(err)
		}
	})
	t.Logf("ready after %s", time.Since(begun))
	config, err := c.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	admin := dynamicClient(t, config)
	applyManifest(t, admin, issue)
	checkIssued(t, admin)

	kubeconfig := filepath.Join(t.TempDir(), "mallory")
	if err := c.UserKubeconfig(kubeconfig, "mallory"); err != nil {
		t.Fatal(err)
	}
	malloryConfig, err := restConfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	checkForgery(t, dynamicClient(t, malloryConfig))
	if err := admin.Resource(certManagerResource("certificaterequests")).Namespace("shop").Delete(t.Context(), "forged", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}

	survivor := pidOf(t, c.Supervisor(), certManager)
	killed(t, c.Supervisor(), apiserver)
	killed(t, c.Supervisor(), etcd)
	begun = time.Now()
	if _, err := Start(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready again after %s", time.Since(begun))
	checkIssued(t, admin) // the same client: address and keys are the same too
	if now := pidOf(t, c.Supervisor(), certManager); now != survivor {
		t.Errorf("a process that ran was started again: pid %d became %d", survivor, now)
	}
}

// The pieces, as tests on envtest take them.
func TestCertManagerRunsOnEnvtest(t *testing.T) {
	assets := builtAssets(t)
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets.Dir, ControlPlaneStartTimeout: readyTimeout, ControlPlaneStopTimeout: readyTimeout,
	}
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	userKubeconfig := func(name string, groups ...string) string {
		user, err := environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := user.KubeConfig()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := InstallCertManager(t.Context(), config, assets); err != nil {
		t.Fatal(err)
	}
	stop, err := StartControllerManager(t.Context(), assets, userKubeconfig("admin", "system:masters"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	stop, err = StartCertManager(t.Context(), assets, userKubeconfig(CertManagerUser, CertManagerGroups()...), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	admin := dynamicClient(t, config)
	applyManifest(t, admin, issue)
	checkIssued(t, admin)
	checkInjected(t, admin)

	// The controller manager empties the namespace and lets it go.
	namespaces := admin.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	if err := namespaces.Delete(t.Context(), "shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the namespace", func(ctx context.Context) error {
		_, err := namespaces.Get(ctx, "shop", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("still there: %w", err)
	})
}

func TestStartCertManagerTellsWhyItDied(t *testing.T) {
	_, err := StartCertManager(t.Context(), builtAssets(t), "/nonexistent/kubeconfig", t.Output())
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("/nonexistent/kubeconfig")) {
		t.Errorf("err = %v; want the end of the log, which names the file", err)
	}
}
